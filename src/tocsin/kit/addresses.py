"""Which addresses an outgoing call may reach: our own numeric deny list.

``ipaddress.is_global`` and ``is_private`` do not suffice: the first calls NAT64, 6to4, v4-compatible and
multicast forms of inner addresses global, the second does not know shared address space (100.64/10).
Sources: the IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and its updates); the fixed
addresses of cloud metadata services are named where no registry covers them.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_INNER_V4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared address space"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "multicast tunnels"),
        ("192.88.99.0/24", "6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

_INNER_V6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard"),
        ("2001::/32", "Teredo"),
        ("2001::/23", "protocol assignments"),
        ("2001:db8::/32", "documentation"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_V4_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")


def refusal(address: Address, allowed: Iterable[Network] = ()) -> str | None:
    """Why no outgoing call may reach this address, in two words, or None when it may.

    ``allowed`` are the operator's own ranges. An IPv6 form that carries an IPv4 address is judged as that
    address alone, so a range of IPv6 never opens an inner IPv4 address.
    """
    address = unwrapped(address)
    if lies_in(address, allowed):
        return None
    inner: tuple[tuple[Network, str], ...] = _INNER_V4 if address.version == 4 else _INNER_V6
    for network, what in inner:
        if address in network:
            return what
    if address.version == 6 and address not in _GLOBAL_UNICAST:
        return "not global unicast"
    return None


def unwrapped(address: Address) -> Address:
    """The IPv4 address inside a mapped, compatible, 6to4 or NAT64 form, else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    bits = int(address)
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _NAT64 or (address in _V4_COMPATIBLE and bits > 1):
        return IPv4Address(bits & 0xFFFF_FFFF)
    return IPv6Address(bits)  # without its zone


@lru_cache(maxsize=4_096)
def peer_address(text: str) -> Address | None:
    """The address somebody calls from, or None; an IPv4 peer of a socket for both families is the IPv4 address it is.

    Unlike ``unwrapped`` this leaves other forms alone: anybody may call from a 6to4 address that names an inner one.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))  # without its zone


def lies_in(address: Address, networks: Iterable[Network]) -> bool:
    """Whether the address, unwrapped, belongs to one of the networks."""
    address = unwrapped(address)
    return any(address in network for network in networks if network.version == address.version)
