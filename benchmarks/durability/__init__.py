"""What the workload `durability` is made of."""
