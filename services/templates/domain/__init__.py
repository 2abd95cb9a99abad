"""Templates as values."""
