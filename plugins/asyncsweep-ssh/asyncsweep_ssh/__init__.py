"""Trials on machines that SSH reaches: the executor `ssh` of asyncsweep."""
