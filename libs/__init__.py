"""Shared code: knows processes, wires and errors; knows no business."""
