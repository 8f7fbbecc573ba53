"""Writes the documents that are generated from the code: events, settings, metrics, schemas.

    python -m deploy.local.docs            # or: make docs
    python -m deploy.local.docs --check    # exits 1 when they are not in step

It is a tool of this repository, not of a service: it may read all four services, and nothing that
runs in production imports it.
"""
