"""Pure decisions of the notifier: time and state are arguments, reasons are results."""
