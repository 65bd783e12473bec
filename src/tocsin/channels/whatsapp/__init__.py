"""WhatsApp through Meta's Cloud API, from a number of the project's own.

``channel.py`` sends, ``verify.py`` looks whether it can, both through ``graph.py``; ``forms.py`` is what the owner
enters. ``words.py`` says what a notification looks like inside and outside the 24 hours in which free words are
allowed; ``failures.py`` is the table of Meta's error codes, ``versions.py`` that of the Graph API; ``numbers.py`` says
how a person is named; ``reports.py`` reads what Meta tells.
"""

from tocsin.channels.whatsapp.channel import WhatsApp

__all__ = ["WhatsApp"]
