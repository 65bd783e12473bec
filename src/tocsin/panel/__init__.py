"""The panels in the browser, as the API serves them under ``/panel/`` (P1) and ``/platform/`` (P2).

Its sources are in ``panel/`` of the repository and are built into ``dist`` here, which comes with the wheel. What was
built is read once, at start; without it, the address says how to build it.

- ``files``: what was built, in memory, with its compressed siblings and how long browsers may keep it.
- ``page``: the page of each, into which is written whose panel it is before anybody has signed in.
- ``routes``: the addresses.
"""
