"""The process that decodes one file of a tenant and encodes it anew: no secrets, capped memory and time, then it ends.

The file comes on stdin until that is closed, the `Outcome` leaves on stdout. A file that brings this process down has
none.
"""

import os
import resource
import sys
from typing import BinaryIO

import msgspec

MEMORY_BYTES = 1 << 30
"""Of addresses, most of which NumPy and libsndfile map and never touch."""
CPU_SECONDS = 10


def main() -> None:
    """``python -m tocsin.sounds.child FORMAT``, started by `recoding.Recoder`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    outcomes = _claim_stdout()
    from tocsin.sounds.codec import recoded  # within the limit of memory

    # Everything is open by now: what is decoded opens no file and writes to none.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    outcomes.write(msgspec.msgpack.encode(recoded(sys.stdin.buffer.read(), sys.argv[1])))
    outcomes.flush()


def _claim_stdout() -> BinaryIO:
    """The way out, out of reach of what a library prints."""
    outcomes = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for standard in (1, 2):
        os.dup2(nowhere, standard)
    return outcomes


if __name__ == "__main__":
    main()
