"""Walking the chains: is every entry as it was sealed, and does each chain still reach its anchors?

Entries come through a server-side cursor, so memory does not grow with the log. Each project is looked at in one
snapshot, so sealing and erasing may go on meanwhile.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import asyncpg

from tocsin.audit.anchor import Anchor
from tocsin.audit.chain import GENESIS
from tocsin.audit.faults import Fault, look_at, told_apart
from tocsin.kit.ids import PLATFORM_ID

_PAGE = 1_000

_CHAIN = """
SELECT project_id, id, env, action, actor_type, actor_id, resource_type, resource_id, request_id, at, seq, hash,
    metadata::text AS metadata, ip_address, user_agent, details_salt, details_digest, origin_salt, origin_digest
FROM tocsin.audit_log WHERE project_id = $1 AND seq IS NOT NULL AND seq >= $2 ORDER BY seq, id
"""

_WORDS = {
    "removed": "what was sealed at this place is missing",
    "details": "its details are not those that were sealed",
}

Seen = Callable[[int], None]


@dataclass(slots=True)
class Report:
    """What a look at the chains found."""

    projects: int = 0
    entries: int = 0
    erased: int = 0
    anchors: int = 0
    ending: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def faulty(self) -> set[str]:
        return {fault.project for fault in self.faults}


async def count(owner: asyncpg.Connection, slug: str | None) -> int:
    """How many entries there are to look at; for the progress bar, so it may be a guess."""
    if slug is None:
        guess = await owner.fetchval("SELECT reltuples FROM pg_class WHERE oid = 'tocsin.audit_log'::regclass")
        return max(int(guess), 0)
    entries: int = await owner.fetchval(
        "SELECT count(*) FROM tocsin.audit_log a JOIN tocsin.projects p ON p.id = a.project_id WHERE p.slug = $1", slug
    )
    return entries


async def verify(owner: asyncpg.Connection, slug: str | None, anchors: Iterable[Anchor], seen: Seen) -> Report:
    """Look at the chain of one project, or of all. ``owner`` is a connection that sees every row.

    Raises KeyError when there is no such project.
    """
    report = Report()
    projects = await owner.fetch(
        "SELECT id, slug, closed_at IS NOT NULL AS closed FROM tocsin.projects"
        " WHERE $1::text IS NULL OR slug = $1 ORDER BY id",
        slug,
    )
    if slug is not None and not projects:
        raise KeyError(slug)
    for project in projects:
        if project["closed"]:  # it is being purged, and its chain with it
            report.ending += 1
            continue
        report.projects += 1
        async with owner.transaction(isolation="repeatable_read", readonly=True):
            fault = await _walk(owner, project["id"], project["slug"], report, seen)
        if fault is not None:
            report.faults.append(fault)
    slugs = {project["id"]: None if project["closed"] else project["slug"] for project in projects}
    await _hold_against(owner, anchors, slugs, slug is None, report)
    return report


async def _walk(owner: asyncpg.Connection, project_id: UUID, slug: str, report: Report, seen: Seen) -> Fault | None:
    """From the first entry to the head; the first fault ends it."""
    before, expected = GENESIS, 1
    page: list[Mapping[str, Any]] = []
    async for entry in _entries(owner, project_id, 1):
        if problem := look_at(before, expected, entry):
            if problem == "changed":
                return await _named(owner, project_id, slug, before, entry)
            return Fault(slug, expected, entry["id"] if problem == "details" else None, problem, _WORDS[problem])
        before, expected = entry["hash"], expected + 1
        if entry["details_salt"] is None or entry["origin_salt"] is None:
            page.append(entry)
        if len(page) == _PAGE and (fault := await _unrecorded(owner, project_id, slug, page, report)):
            return fault
        report.entries += 1
        if not report.entries % _PAGE:
            seen(_PAGE)
    return await _unrecorded(owner, project_id, slug, page, report) or await _end(
        owner, project_id, slug, expected - 1, before
    )


def _entries(owner: asyncpg.Connection, project_id: UUID, first: int) -> AsyncIterator[Mapping[str, Any]]:
    return owner.cursor(_CHAIN, project_id, first, prefetch=_PAGE).__aiter__()  # type: ignore[no-any-return]


async def _named(
    owner: asyncpg.Connection, project_id: UUID, slug: str, before: bytes, bad: Mapping[str, Any]
) -> Fault:
    after = await owner.fetchrow(f"{_CHAIN} LIMIT 1", project_id, bad["seq"] + 1)
    kind, words = await told_apart(before, bad, after, _entries(owner, project_id, 1))
    return Fault(slug, bad["seq"], bad["id"], kind, words)


async def _unrecorded(
    owner: asyncpg.Connection, project_id: UUID, slug: str, erased: list[Mapping[str, Any]], report: Report
) -> Fault | None:
    """The first entry whose details are gone without an entry that says so; empties the list."""
    people = {who: entry for entry in reversed(erased) for who in _erased_people(entry)}
    rows = await owner.fetch(
        "SELECT DISTINCT resource_id FROM tocsin.audit_log"
        " WHERE project_id = $1 AND action = 'audit.erased' AND resource_id = ANY($2)",
        project_id,
        list(people),
    )
    report.erased += len(erased)
    erased.clear()
    told = {row["resource_id"] for row in rows}
    bad = [entry for who, entry in people.items() if who not in told]
    if not bad:
        return None
    first = min(bad, key=lambda entry: int(entry["seq"]))
    return Fault(slug, first["seq"], first["id"], "erased", "its details are gone, and no entry says who erased them")


def _erased_people(entry: Mapping[str, Any]) -> list[str]:
    """Whose erasure must have emptied this entry."""
    people = []
    if entry["details_salt"] is None:
        people.append(entry["resource_id"] or "")
    if entry["origin_salt"] is None:
        people.append(entry["actor_id"] or "")
    return people


async def _end(owner: asyncpg.Connection, project_id: UUID, slug: str, last: int, hash_: bytes) -> Fault | None:
    """Whether the chain ends where its head says."""
    head = await owner.fetchrow("SELECT seq, hash FROM tocsin.audit_heads WHERE project_id = $1", project_id)
    reached = head["seq"] if head else 0
    if reached > last:
        return Fault(slug, last + 1, None, "cut", f"the chain ends at {last}, and was sealed up to {reached}")
    if reached < last:
        return Fault(slug, reached + 1, None, "inserted", f"the chain was sealed up to {reached}, and ends at {last}")
    if head and head["hash"] != hash_:
        return Fault(slug, last, None, "rewritten", "the head of the chain has another hash")
    return None


async def _hold_against(
    owner: asyncpg.Connection,
    anchors: Iterable[Anchor],
    slugs: dict[UUID, str | None],
    everywhere: bool,
    report: Report,
) -> None:
    """See that each anchored end is still where it was; adds at most one fault per project.

    A project without a slug here is being purged, and not asked about.
    """
    lines = iter(anchors)
    while batch := list(islice(lines, _PAGE)):
        known = {
            (row["project_id"], row["seq"]): row
            for row in await owner.fetch(
                "SELECT project_id, a.id, a.seq, a.hash FROM tocsin.audit_log a"
                " JOIN unnest($1::uuid[], $2::bigint[]) AS w (project_id, seq) USING (project_id, seq)",
                [anchor.project for anchor in batch],
                [anchor.seq for anchor in batch],
            )
        }
        for anchor in batch:
            slug = slugs.get(anchor.project)
            if slug is not None:
                report.anchors += 1
                fault = _moved(anchor, slug, known.get((anchor.project, anchor.seq)))
            elif everywhere and anchor.project not in slugs:
                report.anchors += 1
                fault = await _gone(owner, anchor)
            else:
                continue
            if fault is not None and fault.project not in report.faulty:
                report.faults.append(fault)


def _moved(anchor: Anchor, slug: str, row: asyncpg.Record | None) -> Fault | None:
    when = f"{anchor.at:%Y-%m-%d %H:%M} UTC"
    if row is None:
        return Fault(slug, anchor.seq, None, "cut", f"the chain reached entry {anchor.seq} at {when}; it is gone")
    if row["hash"].hex() != anchor.hash:
        return Fault(slug, anchor.seq, row["id"], "rewritten", f"it had another hash when it was anchored at {when}")
    return None


async def _gone(owner: asyncpg.Connection, anchor: Anchor) -> Fault | None:
    """A whole project is missing: fine if the platform's own log says that it was purged."""
    purged = await owner.fetchval(
        "SELECT EXISTS (SELECT FROM tocsin.audit_log"
        " WHERE project_id = $1 AND action = 'project.purged' AND resource_id = $2)",
        PLATFORM_ID,
        str(anchor.project),
    )
    if purged:
        return None
    return Fault(str(anchor.project), anchor.seq, None, "cut", "the project is gone, and no entry says who purged it")
