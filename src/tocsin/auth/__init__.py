"""Who calls, for which project, and what they may do.

Owns credentials (API keys, tokens, passwords), sessions, the permission vocabulary and the guard that every
route stands behind. A route declares its permission with ``needs``; the guard authenticates, opens the one
transaction of the request, checks the permission and keeps the Idempotency-Key.
"""
