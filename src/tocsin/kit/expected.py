"""Failures that a command tells in words instead of a trace."""


class Expected(RuntimeError):
    """It cannot be done, and nobody has made a mistake in the program: the message says why and what to do."""
