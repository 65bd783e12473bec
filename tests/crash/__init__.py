"""Nothing acknowledged is lost: real processes are killed while events flow, and a ledger is compared at the end.

``installation`` runs the processes and starts what dies again, ``nemesis`` kills, ``ledger`` is a client that
remembers every acknowledgement, ``sink`` a backend that gets the webhooks, ``checker`` compares the three with
the tables, ``stumbling`` makes every loop raise, ``repeats`` says which fault explains a duplicate, ``saboteurs`` are
bugs that must turn the checker red. ``python -m tests.crash`` is the long form.
"""
