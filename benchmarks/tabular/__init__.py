"""What the workload `quality` is made of: searches of tables whose every answer is known, in virtual time."""
