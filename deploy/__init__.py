"""What runs the platform: laptop stack, stand-in platforms, containers, monitoring."""
