"""What happens in a project, sent to endpoints of its own backend (H1-H3).

    kinds      the types there are, with a schema each
    endpoints  addresses that listen: their secrets, over HTTP
    log        what was sent, again over HTTP
    send       claims messages fairly, signs and sends them, records what came of it
    upkeep     tells of pauses, recovers, removes

An endpoint is ``active``, ``paused`` (by us: it took nothing for five days, or answered 410), ``disabled`` (by its
owner) or ``removed`` (until its messages are gone). A message is ``queued``, ``leased``, ``delivered``, ``failed``
(given up, kept, recoverable) or ``captured`` (sandbox). It is written with the thing that it tells of
(``audit/tell.py``), claimed, committed, sent outside any transaction, recorded.
"""
