"""The ways out: one file per provider, each describing its settings once.

A channel knows nothing of the database. It is given its settings, an address and a rendered message, and
returns a ``Receipt`` or raises ``Rejected`` (permanent), ``Unavailable`` (temporary) or ``BadCredentials``
(the connection's own fault). Everything it calls goes through the one door out.

``contract`` says what a provider is, ``registry`` lists them; to add one, write its file and its line there,
or publish a package with an entry point in the group ``tocsin.channels``.
"""
