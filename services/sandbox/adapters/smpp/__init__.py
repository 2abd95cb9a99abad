"""The message centre on the wire: an SMPP 3.4 server for transmitters, receivers and transceivers.

What the SMS adapter may rely on: each accepted submit_sm gets its own message id; a receipt
(registered_delivery) is a deliver_sm with esm_class 0x04, appendix B text, and the TLVs
receipted_message_id and message_state. Receipts and inbound messages go to any receiving link of
the account, wait while there is none, and are sent again after one second when the application
answers ESME_RX_T_APPN, ESME_RMSGQFUL or ESME_RTHROTTLED, or when the link breaks first.
"""
