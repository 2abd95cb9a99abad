"""One folder a service, all of one shape."""
