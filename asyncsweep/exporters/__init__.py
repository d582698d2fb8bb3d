"""The exporters that ship: each takes the updates of a sweep somewhere else."""
