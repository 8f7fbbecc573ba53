"""Pure decisions about a fan's tags: time and state are arguments, nothing is read or written."""
