"""The whole of Touchpoint on one machine: real servers, every deployable, one command."""
