"""The panel in the browser, as the API serves it under ``/panel/`` (P1).

Its sources are in ``panel/`` of the repository and are built into ``dist`` here, which comes with the wheel. What was
built is read once, at start; without it, the address says how to build it.

- ``files``: what was built, in memory, with its compressed siblings and how long browsers may keep it.
- ``page``: the one page, into which is written whose panel it is before anybody has signed in.
- ``routes``: the addresses.
"""
