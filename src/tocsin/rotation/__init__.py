"""Changing the keys that secrets are sealed with, while everything runs (C3).

    status       which keys there are, and what still hangs on old ones
    data keys    a new one per project seals at once; what the old one sealed is sealed anew, step by step
    master key   the new one wraps the data keys anew; the old one is accepted until nothing hangs on it

Both can be stopped anywhere and run again: what is left to do is read from the rows.
"""
