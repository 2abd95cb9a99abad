"""The RPC edge of segmentation."""
