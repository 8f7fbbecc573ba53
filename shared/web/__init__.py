"""The HTTP shell that every service stands in: life cycle, limits, health, staff roles, errors.

Read in this order: `service` (start, serve, stop), `shell` (what happens to a request), `auth`,
`errors`, `body` (raw helpers for the hot path), `health`, `protocol` (slow, greedy and devious
clients), `crowd` (who goes when they are many), `heads` (which heads are taken).
"""
