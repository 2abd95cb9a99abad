"""MongoDB: the client, index creation, the migrations runner, page tokens."""
