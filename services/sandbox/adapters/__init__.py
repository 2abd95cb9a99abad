"""The servers that speak SMTP and SMPP."""
