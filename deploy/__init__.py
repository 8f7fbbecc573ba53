"""What runs the platform: the laptop stack, the platforms' sandbox, containers, monitoring."""
