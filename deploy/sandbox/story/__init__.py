"""The demo's story: its script, its texts, and how it is played."""
