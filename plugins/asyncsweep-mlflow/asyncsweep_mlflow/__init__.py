"""Runs of MLflow as an exporter of asyncsweep."""
