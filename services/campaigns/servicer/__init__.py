"""The RPC edge of the campaigns service."""
