"""The recipe that trains the shipped model; needs the project's `train` extra, a service never does."""
