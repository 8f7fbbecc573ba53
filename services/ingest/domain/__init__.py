"""Ingest's decisions: pure, with time and state as arguments."""
