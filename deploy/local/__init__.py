"""The laptop stack: real or embedded parts, the sandbox and the four services on one machine."""
