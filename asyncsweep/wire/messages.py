"""The messages between the controller and a child process, each a MessagePack array `[tag, ...]`.

Controller to worker:

    HELLO     protocol version, secret            the first message both ways; the secret is sent back
    SETUP     sys.path, target, pickled objective, names, names without condition, metrics, verdict steps or nil, log limit or
              nil, folder of the trials' folders or "", file descriptor of the claims or nil
    LAUNCH    secret, trial, attempt, params, log path or nil, place or nil
              with a place it may come while another attempt runs; the worker begins it afterwards, if it can claim the place
    VERDICT   secret, step, prune
    PARAM     secret, name, value, error or nil
    SHUTDOWN

Worker to controller; `secret` is that of the attempt's LAUNCH, and a message with any other is dropped. The tags from
PARAM_ASKED on are those of the core's events, so that a message becomes its event in one conversion.

    READY          how many attempts may be sent ahead
    UNREADY        type, message, traceback, bases       the objective cannot be loaded
    REPORTED       secret, step, value, further metrics or nil
    SERIES_REPORTED secret, [[step, value], ...]         one right after the other, without further metrics
    VERDICT_ASKED  secret, step
    SERIES_UP_FOR_VERDICT secret, step, [[step, value], ...]  the two in one
    PARAM_ASKED    secret, name, domain
    ATTR_SET       secret, key, value
    CONSTRAINT_SET secret, name, value
    FINISHED       secret, metrics
    PRUNED         secret
    FAILED         secret, [type, message, traceback, bases]
    UNKEPT         secret, errno                         the attempt's log cannot be written
    SHUTDOWN                                             it ends after this attempt: a signal has told it to
"""

from __future__ import annotations

PROTOCOL = 3

HELLO = 101
SETUP = 102
READY = 103
UNREADY = 104
LAUNCH = 105
VERDICT = 106
PARAM = 107
SHUTDOWN = 108
UNKEPT = 109

PARAM_ASKED = 13
REPORTED = 16
VERDICT_ASKED = 17
ATTR_SET = 20
FINISHED = 21
PRUNED = 22
FAILED = 23
CONSTRAINT_SET = 31
SERIES_REPORTED = 40
SERIES_UP_FOR_VERDICT = 41
