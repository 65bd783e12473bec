"""The address a request comes from when proxies stand in front.

Each proxy appends the address it was called from to ``X-Forwarded-For``. Whatever stands left of the entry that our
own proxies wrote, the client may have made up; so the entries are read from the right, as long as they are proxies
of ours, and the first that is not is the client.
"""

from collections.abc import Iterable, Sequence

from tocsin.kit.addresses import Network, peer_address


def client_of(peer: str, forwarded: Iterable[str], trusted: Sequence[Network]) -> str:
    """The client's address. ``forwarded`` are the ``X-Forwarded-For`` lines in their order; from a peer that is no
    proxy of ours they say nothing."""
    client = peer_address(peer)
    if client is None:
        return peer
    for entry in reversed(",".join(forwarded).split(",")):
        if not any(client in network for network in trusted):
            break
        hop = peer_address(_without_port(entry.strip()))
        if hop is None:
            break
        client = hop
    return str(client)


def _without_port(entry: str) -> str:
    """Some proxies write ``192.0.2.1:4711`` and ``[2001:db8::1]:4711``."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry
