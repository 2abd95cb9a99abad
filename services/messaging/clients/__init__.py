"""What this service says to others: calls to peer services, send batches, events."""
