"""`python -m asyncsweep.worker FD`: started by an executor, never by hand."""

import sys

from asyncsweep.worker.process import main

if __name__ == "__main__":
    # In the fork of a worker that is to run a script, `main` returns what runs it: it is called where nothing of ours is below,
    # and that is further up when a guard runs this.
    program = main(int(sys.argv[1]))
    if program is not None and not globals().get("is_guarded"):
        program()
