"""Runs of Weights & Biases as an exporter of asyncsweep."""
