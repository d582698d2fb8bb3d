"""Sweeps in a browser, live: a stream over a websocket, the servers that carry it, and the page that shows it.

source     where the facts come from: `running` a sweep of this process, `following` a sweep's directory
hub        what all viewers of one sweep share: which trials changed, and the messages that say so
session    one viewer's connection, whoever carries it
guard      who may come in
"""
