"""`python -m asyncsweep.worker FD`: started by an executor, never by hand."""

import sys

from asyncsweep.worker.process import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
