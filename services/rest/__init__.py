"""Amazon Pinpoint's REST API in front of the gRPC services: a table, not logic."""
