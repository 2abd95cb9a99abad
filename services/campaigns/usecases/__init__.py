"""What the edges share: peers, runs, and what an author writes."""
