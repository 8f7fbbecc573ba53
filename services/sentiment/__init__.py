"""Consumes comments, scores them, and decides what staff must hear of at once."""
