"""`python -m asyncsweep.cli`, where the command is not on the path."""

from asyncsweep.cli import main

main()
