"""What the adapters share. It imports the standard library alone: each peer has an environment of its own."""
