"""The tenant: a project, its API keys, its identity secrets, its realtime apps, its data keys.

States of a project: ``trial`` (free until a date), ``active``, ``suspended`` (reads work, writes answer 403,
deliveries wait), ``cancelled`` (read-only until it is purged).
"""
