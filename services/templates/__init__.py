"""Templates owns message templates, their versions, and which of them is active."""
