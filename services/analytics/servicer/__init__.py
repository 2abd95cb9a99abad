"""RPC edges of the analytics service."""
