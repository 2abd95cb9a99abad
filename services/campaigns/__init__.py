"""Campaigns owns campaigns, their versions and schedules, and the runs that feed the gateway."""
