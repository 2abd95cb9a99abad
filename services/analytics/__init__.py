"""Owns events and the figures made of them: intake, store, counters, KPIs."""
