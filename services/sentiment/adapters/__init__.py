"""The sentiment service's ties to the outside."""
