"""`tocsin demo`: an online shop on a running Tocsin, seen from outside as any client sees it.

Three people, four rules, events of orders, stock and payments from `sample.ndjson` or a file of one's own.
Speaks HTTP and the Pusher protocol alone and imports nothing of the server.
"""
