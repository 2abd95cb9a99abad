"""Segmentation owns segment definitions, and turns a segment into one question about endpoints."""
