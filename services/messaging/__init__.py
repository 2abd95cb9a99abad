"""Direct sends, the ledger, the limiter and the channel workers that hand messages to providers."""
