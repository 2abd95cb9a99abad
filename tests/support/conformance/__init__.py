"""What the REST edge is held against: the model that ships inside botocore."""
