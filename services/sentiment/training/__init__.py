"""The recipe that trains the shipped model; it needs the `train` extra, a service never does."""
