"""One operation from its JSON to the RPC and back, and the few that are not a row alone."""
