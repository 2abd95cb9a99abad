"""HTTP edge: every path of the model, and health."""
