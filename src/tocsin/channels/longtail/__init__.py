"""The Apprise library in a process of its own: the only place where code of ours lets others connect.

Apprise speaks to some hundred services and opens its sockets itself, so it runs apart: ``library`` is our side,
``child`` the process, which forks once more for each message; ``jail`` is what such a process cannot do, and
``services`` lists what may be asked for.
"""
