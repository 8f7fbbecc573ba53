"""Attacks on a running stack, each while genuine webhooks flow: `make attack`.

Loopback only, bounded in time and in connections. Read in this order: `__main__` (the order of
events and the bars), `genuine` (what must go on), `pages` (that an incident is still told), and
`attackers` (a process of its own for each attack).
"""
