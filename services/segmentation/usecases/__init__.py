"""Segments turned into filters, and their members written as files."""
