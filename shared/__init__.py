"""What every service uses and that knows no service."""
