"""A script as it is anywhere: arguments in, a global variable out."""

import os
import sys

from neighbour import doubled

print(__file__)
print(os.getcwd())
loss = doubled(float(sys.argv[1].removeprefix("--lr=")))
