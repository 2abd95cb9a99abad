"""What messaging keeps in MongoDB."""
