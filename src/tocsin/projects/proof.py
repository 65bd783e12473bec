"""Whether a project's name is its own: the two DNS records that only the owner of the name can set (T8).

alerts.client.com           CNAME  alerts.example.com          requests reach this installation
_tocsin.alerts.client.com   TXT    tocsin-verification=<token> the owner says that they belong to this project
"""

from dataclasses import dataclass
from functools import cached_property

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

QUERY_SECONDS = 2.0
LOOK_UP_SECONDS = 5.0
"""Of one question, over all resolvers and tries."""
LONGEST_CHAIN = 5
"""Names that a CNAME may lead over until it reaches us."""

TXT_LABEL = "_tocsin"
_TXT_PREFIX = "tocsin-verification="


class Unreachable(Exception):
    """No resolver answered; nothing is known of the name."""


@dataclass(frozen=True, slots=True)
class Records:
    """What a project has to set."""

    cname_target: str
    txt_name: str
    txt_value: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found: where the CNAME leads (None: nowhere), and whether the TXT is there."""

    cname: str | None
    txt: bool


def records(domain: str, token: str, target: str) -> Records:
    return Records(target, f"{TXT_LABEL}.{domain}", f"{_TXT_PREFIX}{token}")


class Names:
    """The resolvers of one process. Only they are asked; nothing here connects to where a name leads."""

    def __init__(self, servers: tuple[tuple[str, int], ...]) -> None:
        self._servers = servers

    async def look(self, domain: str, wanted: Records) -> Seen:
        """What the DNS says now. Raises ``Unreachable`` where it says nothing."""
        return Seen(await self._leads_to(domain, wanted.cname_target), await self.has_txt(wanted))

    async def has_txt(self, wanted: Records) -> bool:
        return wanted.txt_value in await self._ask(wanted.txt_name, "TXT")

    async def _leads_to(self, domain: str, target: str) -> str | None:
        """The target, when the chain of CNAMEs reaches it; else the first name it leads to."""
        first = None
        name = domain
        for _ in range(LONGEST_CHAIN):
            found = await self._ask(name, "CNAME")
            if not found:
                break
            name = found[0]
            first = first or name
            if name == target:
                return target
        return first

    async def _ask(self, name: str, kind: str) -> list[str]:
        """The values of one kind, names in lower case without the last dot; empty where there are none."""
        try:
            answer = await self._resolver.resolve(f"{name}.", kind, raise_on_no_answer=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise Unreachable(f"{type(error).__name__} for {kind} of {name}") from error
        if kind == "TXT":
            return [b"".join(value.strings).decode("latin-1") for value in answer]
        return [value.target.to_text(omit_final_dot=True).lower() for value in answer]

    @cached_property
    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Made when it is needed: a machine without resolvers of its own has no use for it before."""
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._servers]
        resolver.timeout = QUERY_SECONDS
        resolver.lifetime = LOOK_UP_SECONDS
        return resolver
