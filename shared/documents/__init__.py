"""Documents apart from who changes them: how they are read, with the version that was read."""
