"""What the workload `search` is made of: waits of workers for parameters, the lag of the host's loop, the cost of an ask."""
