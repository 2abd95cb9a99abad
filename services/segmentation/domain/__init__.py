"""What a segment is, which ones are well formed, and which filter over endpoints one means."""
