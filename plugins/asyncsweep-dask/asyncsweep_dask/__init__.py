"""Trials on a Dask cluster: an executor of asyncsweep."""
