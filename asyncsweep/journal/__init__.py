"""The sweep on disk: an append-only file of events that survives `kill -9`."""
