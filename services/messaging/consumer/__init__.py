"""The queue edge of the workers: batches in, windows of claimed rows, outcomes and events out."""
