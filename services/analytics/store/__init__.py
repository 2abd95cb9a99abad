"""What analytics keeps in MongoDB."""
