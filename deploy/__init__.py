"""How Touchpoint runs: the image, the process table, and the local stack."""
