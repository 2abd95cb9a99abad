"""What an event may look like, how events are counted, and what figures mean; pure."""
