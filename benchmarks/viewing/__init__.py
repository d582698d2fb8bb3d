"""What the workload `viewer` is made of."""
