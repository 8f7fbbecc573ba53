"""Logs, metrics, traces, and the observer port that the runner calls."""
