"""The frames on the channel between the controller and a host: MessagePack arrays `[tag, ...]`, many workers in one stream.

Before them the host writes lines of JSON, each behind the mark that the controller gave it: what a login shell prints first is no frame.
This module runs on both sides: standard library alone, Python >= 3.10.

Controller to host:

    OPEN        options of the host, see `asyncsweep_ssh.remote.agent.Options`
    CODE        bytes, last                 a piece of the zip with the user's code
    ALIVE                                   nothing else was to say
    START       worker, environment         start a worker process
    SETUP       bytes                       what all workers are told first, as one message of their link; kept
    SET_UP      worker                      give it to this one
    JOB         worker, secret, trial, attempt, waits       the LAUNCH message with this secret follows; it waits for another attempt's end
    TO_WORKER   worker, bytes               of its link
    SIGNAL      worker, "TERM" or "KILL"
    PUT         trial, path, bytes, first   a piece of a file of the trial's folder
    TAKEN       bytes                       so many bytes of FILE frames were taken: as many more may come
    TAKE_BACK   worker, secret, place       have the attempt that waits there with this place never begin
    BYE                                     end everything, remove everything

Host to controller:

    INFO        what is there: a map
    ALIVE
    FROM_WORKER worker, bytes               of its link
    FILE        worker, trial, path, bytes, first
    LEFT_OUT    worker, trial, path, reason
    UNKEPT      worker, reason              what an attempt printed is lost
    ENDED       worker, reason              its process has ended, and all that it said was said
    BEGUN       worker, secret              a job that does not wait is handed to its worker
    TOOK        worker, place, did          the answer to TAKE_BACK; not did: it has begun
    PRINTED     worker, secret, offset, bytes   a piece of what an attempt that runs has printed, for who looks on
    FAULT       kind, reason                the host cannot go on
"""

from __future__ import annotations

PROTOCOL = 1

OPEN = 1
CODE = 2
ALIVE = 3
START = 4
SETUP = 5
SET_UP = 6
JOB = 7
TO_WORKER = 8
SIGNAL = 9
PUT = 10
TAKEN = 11
BYE = 12
TAKE_BACK = 13

INFO = 21
FROM_WORKER = 22
FILE = 23
LEFT_OUT = 24
UNKEPT = 25
ENDED = 26
FAULT = 27
TOOK = 28
BEGUN = 29
PRINTED = 30

# What one frame of a file carries, and how much of files may be on its way at a time: heartbeats and reports wait behind that.
FILE_BYTES = 1 << 16
ON_ITS_WAY_BYTES = 1 << 20
# The most that is shown at a time of what an attempt prints.
PRINTED_BYTES = 1 << 14

# Kinds of FAULT.
DISK = "disk"
CODE_FAULT = "code"
GPUS = "gpus"
