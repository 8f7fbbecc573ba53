"""Ingest's ports on real parts: WeChat's API and the document store."""
