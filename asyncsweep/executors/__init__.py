"""The executors that ship, registered through the same hooks as everybody's."""
