"""What a mail host and a message centre do with what arrives, between the wires and the log."""
