"""A process: settings, logging, metrics, server, client, and how they start and stop."""
