"""WeChat official accounts (公众号): receiving pushes and calling the API."""
