"""One file per provider protocol; each knows its protocol and nothing of queues or the ledger."""
