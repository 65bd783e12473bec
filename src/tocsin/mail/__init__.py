"""Mail of the platform itself: written with the change that causes it, sent by a stage of the worker.

States of a mail: ``queued`` (waits for the server, or for its next try), ``sent`` (the server took it), ``failed``
(refused for good, or its time ran out; ``last_error`` says why), ``captured`` (sandbox: readable, never sent).
What it says is sealed until then, because it may hold a link that is worth an account.
"""
