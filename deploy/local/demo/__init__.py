"""`make demo`: the main job, from a webhook to tags, pushes and a page, shown in two minutes.

It plays the sandbox's story against the services' own HTTP ports, does what staff would do, and
compares what the services say with what the platforms' books say.
"""
