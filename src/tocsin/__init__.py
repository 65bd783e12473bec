"""Tocsin: events in, the right people woken, nothing lost."""

__version__ = "0.1.0"
