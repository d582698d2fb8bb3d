"""Trials at a place that a cluster gives: what every executor for a cluster needs, but for the cluster.

An *outpost* is one slot at such a place: a `ProcessExecutor` with one worker process, in a process of the cluster's. All that a
trial knows there is what it knows in a local worker process: limits, kills, logs, environment. What the executor there would say
to the sweep's inbox travels here as messages, and what the sweep asks of it travels there.

    the sweep ── Seats ── Outbox ══ bytes, carried by the cluster's own means ══ Outbox ── Outpost ── ProcessExecutor ── trial
                 (here)                                                                    (there)

Whoever writes an executor for a cluster places outposts and carries bytes. Bytes of one outpost arrive in order and once, or the
outpost is lost (`Seats.lost`), whatever it still does.
"""
