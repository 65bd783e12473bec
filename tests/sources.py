"""Callers from many addresses: the tests play the proxy of the process ``behind``."""

from tests.client import Client


def come_from(caller: Client, address: str, there: Client) -> Client:
    """The same caller at that process, from that address."""
    return caller.at(there).with_headers(X_Forwarded_For=address)
