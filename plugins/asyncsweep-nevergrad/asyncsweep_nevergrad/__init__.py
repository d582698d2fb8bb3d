"""Nevergrad's optimizers as a sampler of asyncsweep."""
