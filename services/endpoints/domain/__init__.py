"""Endpoints as values: merging, limits, filters, import files. Pure; time is an argument."""
