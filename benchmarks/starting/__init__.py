"""What the workload `startup` is made of."""
