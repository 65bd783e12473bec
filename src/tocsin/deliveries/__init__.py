"""One notification on its way to one person (or to the project) over one channel: a chain of attempts.

States: ``queued`` (waits for a worker, or for its time), ``leased`` (a worker sends it), ``sent`` (the provider
took it), ``delivered``, ``read``; ``held`` and ``gathered`` (quiet hours, digest); ``failed`` (given up, kept,
replayable), ``suppressed`` (must not be sent), ``dropped``, ``captured`` (sandbox), ``cancelled``.

A delivery is claimed, or written with a lease, committed, sent outside any transaction, recorded. Whoever lost its
lease records nothing.
"""
