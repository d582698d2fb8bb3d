"""What runs workloads, and what is made of their figures. Workloads are in `benchmarks.workloads`, peers in `benchmarks.peers`."""
