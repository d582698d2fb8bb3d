"""The controller's end of a link to a child process: starting it, talking to it, ending it."""
