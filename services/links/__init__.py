"""Owns what is public: pages behind signed links, and where providers call back."""
