"""Ingest: takes the platforms' and shops' webhooks, and polls WeChat's comments.

Consumes HTTP pushes and `push-outcomes.v1` (which articles went out). Decides whether a push is
genuine, what event it is and what is answered. Publishes `fan-events.v1`; a push is answered with
2xx only after the log has acknowledged its event. The way of a push has no database.
"""
