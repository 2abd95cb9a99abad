"""Endpoints, import jobs and their files in MongoDB."""
