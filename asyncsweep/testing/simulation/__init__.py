"""Sweeps in virtual time: with faults planted, to find what breaks; on a table of results, to try samplers and pruners."""
