"""Which project a request is for (T1), worked out in one place.

In this order: the credential; a custom domain; a subdomain of the installation's base domain; ``X-Tenant-Id``;
``?tenant=``. The last two choose only for platform admins and where nobody is signed in yet. Whatever else
names a project must name the same one: 403 ``tenant_mismatch``, never a silent choice.

A request under the installation's own name, or under an address, names nothing. Finding that out is one look
into a set, so the door of events pays nothing for it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

import structlog
from sqlalchemy import text

from tocsin.auth.principal import Principal
from tocsin.kit.db import Database
from tocsin.kit.errors import Forbidden
from tocsin.kit.hostnames import host_of, lies_under
from tocsin.kit.ids import parse_id

Source = Literal["domain", "subdomain", "header", "query", "body", "single"]

PLATFORM_SLUG = "platform"
RESERVED = frozenset({"platform", "www", "api", "app", "admin", "docs", "status", "tocsin"})
"""Names below the base domain that are the installation's own, and so no project's slug."""

_REMEMBERED = 10_000
_KNOWN_SECONDS = 60.0
_UNKNOWN_SECONDS = 5.0
_QUIET_HOSTS = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The project of a verified domain."""

    project_id: UUID
    slug: str


@dataclass(frozen=True, slots=True)
class Named:
    """A slug or an id that something in a request names, and what does."""

    name: str
    source: Source


class Tenants:
    """What one process knows of names. ``trusted`` says whether what it remembers still counts."""

    def __init__(
        self,
        db: Database,
        trusted: Callable[[], bool],
        *,
        own_hosts: frozenset[str] = frozenset(),
        base_domain: str | None = None,
        single: str | None = None,
        debug: bool = False,
    ) -> None:
        self._db = db
        self._trusted = trusted
        self._own_hosts = own_hosts
        self._base_domain = base_domain
        self._quiet: set[bytes] = set()
        self._known: OrderedDict[str, tuple[Found | None, float]] = OrderedDict()
        self._forgotten = 0
        self.single = single
        self.debug = debug

    def silent(self, headers: Mapping[bytes, bytes], query: bytes) -> bool:
        """Whether nothing but the credential can name a project here; the hot path's only cost."""
        return (
            headers.get(b"host") in self._quiet
            and not query
            and b"x-tenant-id" not in headers
            and self.single is None
            and not self.debug
        )

    async def named(self, scope: Mapping[str, Any]) -> list[Named]:
        """Everything beside the credential that names a project, in the order of its weight."""
        found: list[Named] = []
        for name, value in scope["headers"]:
            if name == b"host" and value not in self._quiet and (host := await self._of_host(value)):
                found.append(host)
        for name, value in scope["headers"]:
            if name == b"x-tenant-id":
                found.append(Named(value.decode("latin-1"), "header"))
        if scope["query_string"]:
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            found += [Named(value, "query") for name, value in query if name == "tenant"]
        return found

    def confirm(self, caller: Principal, named: list[Named], scope: Mapping[str, Any]) -> None:
        """Refuse what names another project than the caller's."""
        self.agree(caller.project_id, caller.project_slug, named)
        self._tell(caller.kind, caller.project_slug, scope, project_id=str(caller.project_id))

    def agree(self, project_id: UUID, slug: str, named: list[Named]) -> None:
        """Refuse what names another project than this one, which a credential names."""
        for other in named:
            if other.name not in (slug, str(project_id)):
                raise _mismatch(other.source)
        self._check_single(slug)

    async def chosen(self, scope: Mapping[str, Any], said: str | None = None) -> str | None:
        """The slug of the project of a call where nobody is signed in, or None when nothing names one.

        ``said`` is a slug that the body names; it and all the others must agree. Nobody says that the project exists.
        """
        named = await self.named(scope)
        if said is not None:
            named.append(Named(said, "body"))
        if not named:
            if self.single is not None:
                self._tell("single", self.single, scope)
            return self.single
        slug = await self._slug(named[0].name)
        self._check_single(slug)
        for other in named[1:]:
            if other.name != named[0].name and await self._slug(other.name) != slug:
                raise _mismatch(other.source)
        self._tell(named[0].source, slug, scope)
        return slug

    async def find(self, domain: str) -> Found | None:
        """The project of a verified custom domain."""
        if (known := self._remembered(domain)) is not None:
            return known[0]
        before = self._forgotten
        async with self._db.unscoped() as session:
            row = (
                await session.execute(text("SELECT * FROM tocsin.find_domain(:domain)"), {"domain": domain})
            ).one_or_none()
        found = Found(row.project_id, row.slug) if row else None
        # What was taken back while we read is read again next time.
        seconds = 0.0 if before != self._forgotten else _KNOWN_SECONDS if found else _UNKNOWN_SECONDS
        self._known[domain] = (found, time.monotonic() + seconds)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def heard_of(self, domain: str) -> bool:
        """Whether looking for a domain costs nothing, or was worth it before; a flood of new names is neither."""
        found, _ = self._known.get(domain, (None, 0.0))
        return found is not None or self._remembered(domain) is not None

    def _remembered(self, domain: str) -> tuple[Found | None] | None:
        """What still counts of a domain: its project, that there is none, or nothing."""
        found, until = self._known.get(domain, (None, 0.0))
        return (found,) if until > time.monotonic() and self._trusted() else None

    def revoked(self, project_id: UUID, kind: str, ref: str) -> None:
        """Ask again for a domain that was proven, given up or suspended, and for all of a project that changed."""
        if kind == "domain":
            stale = [ref] if ref in self._known else []
        elif kind == "project":
            stale = [name for name, (found, _) in self._known.items() if found and found.project_id == project_id]
        elif kind == "everything":
            stale = list(self._known)
        else:
            return
        self._forgotten += 1
        for domain in stale:
            self._known[domain] = (self._known[domain][0], 0.0)

    def _check_single(self, slug: str) -> None:
        if self.single is not None and slug not in (self.single, PLATFORM_SLUG):
            raise Forbidden("tenant_mismatch", "This installation serves one project, and this is another.")

    async def _of_host(self, header: bytes) -> Named | None:
        host = host_of(header)
        if host is None or host in self._own_hosts or host == self._base_domain:
            self._keep_quiet(header)
            return None
        if self._base_domain and lies_under(host, self._base_domain):
            return self._below(host.removesuffix(f".{self._base_domain}"), header)
        found = await self.find(host)
        return Named(found.slug, "domain") if found else None

    def _below(self, label: str, header: bytes) -> Named | None:
        if label in RESERVED and label != PLATFORM_SLUG:
            self._keep_quiet(header)
            return None
        return Named(label, "subdomain")

    def _keep_quiet(self, header: bytes) -> None:
        """Remember a host that never names a project; ports make many of one, so only so many are."""
        if len(self._quiet) < _QUIET_HOSTS:
            self._quiet.add(header)

    async def _slug(self, name: str) -> str:
        """The slug behind an id; what is no id of a project stands for itself, and fits none."""
        id_ = parse_id(name)
        if id_ is None:
            return name
        async with self._db.scope(id_, "live") as session:
            return await session.scalar(text("SELECT slug FROM tocsin.projects")) or name

    def _tell(self, source: str, project: str, scope: Mapping[str, Any], **more: str) -> None:
        if self.debug:
            request_id = scope.get("tocsin.request_id", "")
            log.info("tenant resolved", source=source, project=project[:64], request_id=request_id, **more)


def _mismatch(source: Source) -> Forbidden:
    return Forbidden("tenant_mismatch", f"{_WORDS[source]} another project than the rest of the request.")


_WORDS: dict[Source, str] = {
    "domain": "The host of the request belongs to",
    "subdomain": "The host of the request names",
    "header": "X-Tenant-Id names",
    "query": "The query parameter tenant names",
    "body": "The body names",
}
