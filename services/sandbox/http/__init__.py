"""The HTTP side: what arrived, what shall happen, and a page for people."""
