"""A guard for the hot paths: counts that are the same on every machine, beside those that were accepted.

A timing says how fast a machine was today; a count says what the code does. Counted per trial are events, bytes and writes of
the journal, bytes on the links to the workers, memory blocks that stay, Python calls and bytecode instructions of our own code
in the controller and in a worker, and system calls where `strace` is there. `python -m benchmarks.guard` (or `make bench-guard`)
compares them with `counts.json` and fails where one has grown; `--accept` stores what is measured now.

What makes them repeatable: the clock of the controller stands still (`stillness`), so that nothing happens because time has
passed; each count is the difference of a long and a short sweep, so that starting and ending are not in it; and what depends on
how messages meet on their way is counted with one worker process.
"""
