"""SMPP 3.4: the wire codec, the GSM 03.38 alphabet, delivery receipts and an asyncio session."""
