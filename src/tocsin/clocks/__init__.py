"""Clocks: rules that run by the time of day instead of by events (R6).

A rule's clock is a row with the time of its next run. When it is due, an event of the project's own is made,
``tocsin.clock`` with the counts of the period, which that rule alone meets; from there on it goes the way of every
event. ``schedule`` says when a clock runs, ``keep`` keeps its row, ``stage`` makes its events.
"""

from typing import Literal

Audience = Literal["everybody", "zone", "summary"]

CLOCK_TYPE = "tocsin.clock"
"""The type of the events that clocks make."""
