"""The composition roots: one for the gateway, one for the channel workers."""
