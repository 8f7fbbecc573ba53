"""WeChat as the sandbox reads its documentation."""
