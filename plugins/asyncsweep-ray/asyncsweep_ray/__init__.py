"""Trials on a Ray cluster: an executor of asyncsweep."""
