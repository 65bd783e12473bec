"""What an import did, for the operator: as lines, and as JSON."""

from collections.abc import Iterator
from typing import Any, Literal
from uuid import UUID

import msgspec

from tocsin.imports.wanted import Account, Source

Fate = Literal["made", "replaced", "unchanged", "skipped"]


class PlaceReport(msgspec.Struct, rename="camel"):
    name: str
    address: str
    enabled: bool
    outcome: Literal["made", "replaced", "unchanged", "skipped"]


class ConnectionReport(msgspec.Struct, rename="camel"):
    """``owner`` is ``project`` or an e-mail address; ``account`` is the provider's id. Secrets are masked."""

    outcome: Fate
    provider: str
    owner: str
    account: str
    credentials: dict[str, Any]
    destinations: list[PlaceReport]
    connection_id: UUID | None = None
    status: str | None = None
    why: str | None = None


class Report(msgspec.Struct, rename="camel"):
    """``id`` is that of the import; None where it changed nothing, or was a dry run."""

    project: str
    source: Source
    dry_run: bool
    id: UUID | None
    connections: list[ConnectionReport]
    left_out: list[str]
    warnings: list[str]

    @property
    def complete(self) -> bool:
        return all(each.outcome != "skipped" for each in self.connections)

    def of_dry_run(self) -> "Report":
        """The same without the ids of what is not there."""
        connections = [
            msgspec.structs.replace(each, connection_id=None) if each.outcome == "made" else each
            for each in self.connections
        ]
        return msgspec.structs.replace(self, dry_run=True, id=None, connections=connections)


def told(
    fate: Fate, owner: str, account: Account, connection_id: UUID, status: str, places: list[PlaceReport]
) -> ConnectionReport:
    """One that is in the project now."""
    return ConnectionReport(
        outcome=fate,
        provider=account.channel.provider,
        owner=owner,
        account=account.id,
        credentials=account.configuration.credentials.masked(),
        destinations=places,
        connection_id=connection_id,
        status=status,
    )


def skipped(owner: str, account: Account, why: str) -> ConnectionReport:
    return ConnectionReport(
        outcome="skipped",
        provider=account.channel.provider,
        owner=owner,
        account=account.id,
        credentials=account.configuration.credentials.masked(),
        destinations=[PlaceReport(each.name, each.address, each.enabled, "skipped") for each in account.places],
        why=why,
    )


def as_json(report: Report) -> bytes:
    return msgspec.json.format(msgspec.json.encode(report)) + b"\n"


def in_words(report: Report) -> Iterator[str]:
    """Lines for a terminal."""
    yield f"Project {report.project}" + (": a dry run, nothing is written." if report.dry_run else ":")
    for each in report.connections:
        yield from _connection(each)
    yield from (f"left out   {words}." for words in report.left_out)
    yield from (f"warning    {words}" for words in report.warnings)
    if report.id is not None:
        yield f"Import {report.id}. To put everything back: tocsin import rollback {report.id}"
    if any(each.status == "pending" for each in report.connections):
        yield "What is pending sends nothing before it is verified: POST /connections/{id}/verify, or in the panel."


def _connection(each: ConnectionReport) -> Iterator[str]:
    secrets = ", ".join(f"{name} {value}" for name, value in each.credentials.items() if value)
    yield f"{each.outcome:<9}  {each.provider} {each.account} of {each.owner}: {each.why or each.status}; {secrets}"
    for place in each.destinations:
        switched = "on" if place.enabled else "switched off"
        yield f"           {place.outcome:<9}  {place.name} -> {place.address}, {switched}"
    if each.connection_id is not None:
        yield f"           connection {each.connection_id}"
