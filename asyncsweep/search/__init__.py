"""Who answers for a sweep's sampler and pruner: a desk on the loop, or one in a thread or child process."""
