"""The RPC edge of the endpoints service: decode, call, encode."""
