"""Applications owns projects, their settings, and the API keys that open them."""
