"""The model, the table of operations, and the rules between JSON and protobuf."""
