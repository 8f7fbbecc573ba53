"""What runs in a process of its own, pinned to a core, and prints one line of JSON."""
