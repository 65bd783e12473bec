"""Where a call comes from, and whether it may come from there (A3)."""

from collections.abc import Iterable
from ipaddress import IPv4Address, ip_network
from typing import TypeAlias

from tocsin.kit.addresses import Network, peer_address
from tocsin.kit.errors import Forbidden

Networks: TypeAlias = tuple[Network, ...]

_SOURCE_V4, _SOURCE_V6 = 24, 64
"""As much of an address as one party commonly holds."""


def networks(entries: Iterable[str]) -> Networks:
    return tuple([ip_network(entry, strict=False) for entry in entries])


def source_of(ip: str | None) -> str:
    """The network an address stands for when failures are counted: its /24, its /64."""
    address = peer_address(ip or "")
    if address is None:
        return ""
    length = _SOURCE_V4 if isinstance(address, IPv4Address) else _SOURCE_V6
    return str(ip_network((address, length), strict=False))


def lies_within(ip: str | None, allowed: Networks) -> bool:
    """Whether one of the networks holds the address; no networks allow every address."""
    if not allowed:
        return True
    address = peer_address(ip or "")
    return address is not None and any(address in network for network in allowed)


def check_address(ip: str | None, *lists: Networks) -> None:
    """Raise Forbidden unless every list that is not empty holds the address."""
    if not all(lies_within(ip, allowed) for allowed in lists):
        raise Forbidden("ip_not_allowed", "The key or its project may not be used from your address.")
