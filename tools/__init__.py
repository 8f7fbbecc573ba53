"""Tools of those who work on the project: nothing here runs in a service."""
