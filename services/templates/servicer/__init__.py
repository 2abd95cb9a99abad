"""The RPC edge."""
