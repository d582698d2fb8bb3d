"""Benchmarks of asyncsweep and its peers in one harness: `python -m benchmarks list` from the checkout."""
