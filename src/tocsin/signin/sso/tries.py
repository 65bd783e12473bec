"""How often a network may try single sign-on in vain (A4). What leads somewhere is not counted.

- A beginning counts until somebody has signed in by it, unless the provider was away. A browser that comes back
  without a beginning counts too. Both for their network and this project: a crowd at one is none at another.
- A wrong code counts as a guess, for its network alone: it names no project. A right one is let through whatever was
  counted, because an app's backend sends the codes of all its people from one address.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from tocsin.auth.tries import FLOWS, NETWORK, Counter, Tries, network_of
from tocsin.kit.errors import Unauthorized


def beginnings(ip: str | None, project_id: UUID | None) -> list[Counter]:
    """The counter of a network at one project, or at all names that are none."""
    return network_of(ip, f"sso:{project_id}", FLOWS)


def beginning(network: str | None, project_id: UUID) -> list[Counter]:
    """The same, of a network that was noted at the beginning."""
    return [] if network is None else [Counter(f"sso:{project_id}", network, FLOWS)]


@asynccontextmanager
async def codes(tries: Tries, ip: str | None) -> AsyncIterator[None]:
    """Count a code that is refused inside; raises TooManyRequests in its place when that were too many."""
    try:
        yield
    except Unauthorized:
        await tries.spend(*network_of(ip, "sso code", NETWORK))
        raise
