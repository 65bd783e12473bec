"""The embedded PostgreSQL: finds the binaries, makes the data folder, starts, adopts and stops the server.

States of a data folder: absent -> made by ``initdb`` -> served <-> stopped. The server outlives its
starter with ``daemon=True`` and ends with it otherwise. Beside a data folder ``x`` stand ``x.password``,
``x.log`` and two lock files; the folders above are never changed. POSIX only.
"""

from tocsin.kit.postgres.binaries import Binaries, CannotStart, find_binaries
from tocsin.kit.postgres.server import Running, server_pid, start, stop

__all__ = ["Binaries", "CannotStart", "Running", "find_binaries", "server_pid", "start", "stop"]
