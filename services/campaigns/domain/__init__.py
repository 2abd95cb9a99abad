"""Campaigns as values: what is allowed, when they are due, who gets what."""
