"""What the notifier does with the records of each topic: one module a topic."""
