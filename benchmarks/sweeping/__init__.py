"""Sweeps as workloads run them: the spaces, the objectives, the clock."""
