"""A running sweep, watched and steered from another process of the same user, over a Unix socket.

runtime    the private folder where the sockets are
server     serves one run: `async with sw.control(run) as address`
commands   what it answers
following  the output of trials as it comes
client     asks a running sweep, from the command line for example
"""
