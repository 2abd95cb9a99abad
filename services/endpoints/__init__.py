"""Endpoints owns addresses, the users behind them, their attributes and consent, and imports."""
