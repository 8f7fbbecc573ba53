"""Pure decisions about comments and incidents."""
