"""Consumes comments, decides how negative and how severe they are and whether they make an incident."""
