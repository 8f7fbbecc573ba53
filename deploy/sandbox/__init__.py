"""Stand-in WeChat, Weibo, shop and pager servers that enforce the platforms' published rules.

It is the other side of every protocol, with its own reading of it: it imports neither `services`
nor `shared`, so that a mistake made there can't cancel itself out here.
"""
