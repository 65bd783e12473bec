"""How many files and sockets a process may hold."""

import resource


def allow_many() -> None:
    """Raise the soft limit to the hard one. The soft one is often 1,024, kept low for programs that use select(2)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
