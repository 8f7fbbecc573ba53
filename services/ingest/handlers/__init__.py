"""Ingest's steps: check and understand a push, publish it; learn and poll articles."""
