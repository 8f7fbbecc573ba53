"""How the shipped model learns an account's own stream: a small table beside it."""
