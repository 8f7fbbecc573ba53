"""Weibo (微博), its fan service platform (粉丝服务平台): receiving pushes and calling the API."""
