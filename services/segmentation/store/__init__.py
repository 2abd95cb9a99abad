"""Segments and their versions in MongoDB."""
