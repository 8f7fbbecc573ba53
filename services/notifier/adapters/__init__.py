"""The notifier's questions to its store."""
