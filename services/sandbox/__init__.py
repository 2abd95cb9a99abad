"""Owns carriers and a mail host that behave like real ones over SMPP, SMTP and HTTP, by script."""
