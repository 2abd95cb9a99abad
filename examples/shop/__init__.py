"""A made-up shop that writes to its customers: the demo of `make demo`."""
