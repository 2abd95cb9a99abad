"""What campaigns says to other services, and how their answers become its own values."""
