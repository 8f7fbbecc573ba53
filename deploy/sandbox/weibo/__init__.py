"""Weibo as the sandbox reads its documentation."""
