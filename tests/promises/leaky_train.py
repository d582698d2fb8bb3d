"""A script that shows what it was given."""

import os
import sys

import asyncsweep

VALUE = os.environ["LEAKY_PASSWORD"]
sys.stdout.write(f"printed {VALUE}\n")
sys.stderr.write(f"{VALUE}\n")
if "--fails" in sys.argv:
    raise ValueError(VALUE)
asyncsweep.finish(0.0)
