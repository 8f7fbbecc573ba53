"""What the clock triggers: planning audiences, sending what is due, noting what became of it."""
