"""What a single-tenant installation had, as connections of a project (C11).

It comes as environment variables (``env_file.py``, ``variables.py``) or as an export (``export.py``); both are read
into the same accounts and places (``wanted.py``). ``bring_in.py`` stores them in one transaction, ``snapshot.py`` keeps
what was there before and ``roll_back.py`` puts it back; ``report.py`` tells the operator.

A connection of the same owner with the same account at the provider is replaced, any other is left alone. New
credentials are ``pending`` until somebody verifies them: nothing here asks a provider.
"""
