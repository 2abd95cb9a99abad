"""What segmentation asks of endpoints and applications, and tells everybody."""
