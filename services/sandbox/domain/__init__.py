"""What the sandbox decides: behaviours, carriers, parts, mails and the log, without any I/O."""
