"""People as a call would leave them, and the writing of any number of them.

One person or a thousand: the number of statements is the same, and a statement without work is spared.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.revocation import end_sessions_of, revoke_all
from tocsin.clocks.keep import look_again
from tocsin.kit.db import as_json, violated
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.ids import new_id
from tocsin.users.hours import timezones
from tocsin.users.models import Role, User
from tocsin.users.roles import an_owner_kept, give_roles, picked, take_other_roles
from tocsin.users.schemas import UserFields

IDENTITIES = ("external_user_id", "email")
"""What names a person to the outside: one of a kind in a project and environment. In the order they are looked up."""

_PLAIN_FIELDS = ("email", "name", "avatar_url", "phone", "external_user_id", "locale", "timezone", "status")
_TAKEN = {
    "email": ("/email", "email_taken", "Another user of this project has this e-mail."),
    "external_user_id": (
        "/externalUserId",
        "external_user_id_taken",
        "Another user of this project has this externalUserId.",
    ),
}


@dataclass(slots=True, kw_only=True)
class Draft:
    """A person as they shall be."""

    id: UUID
    values: dict[str, Any]
    """By the names of the columns."""
    stored: Mapping[str, Any] | None
    """The values in the database; None for somebody new."""
    roles: list[Role] | None = None
    """Instead of those there are; None leaves them."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Channel to address, instead of the one on each of these channels."""

    @classmethod
    def new(cls, fields: UserFields, roles: Mapping[str, Role], *, status: str = "active", pointer: str = "") -> Self:
        """Somebody nobody knew. ``roles`` are those there are, by name."""
        _check_timezone(fields, pointer)
        values = {name: getattr(fields, name) for name in _PLAIN_FIELDS}
        return cls(
            id=new_id(),
            values={**values, "status": fields.status or status, "metadata": fields.metadata or {}},
            stored=None,
            roles=picked(roles, fields.roles or [], f"{pointer}/roles"),
            addresses=dict(fields.addresses or {}),
        )

    @classmethod
    def of(cls, user: User) -> Self:
        """A person as they are."""
        values = {**{name: getattr(user, name) for name in _PLAIN_FIELDS}, "metadata": user.metadata_}
        return cls(id=user.id, values=values, stored=dict(values))

    def take(self, fields: UserFields, roles: Mapping[str, Role], pointer: str = "") -> None:
        """Take over what was sent; what was left out stays."""
        _check_timezone(fields, pointer)
        sent = fields.model_fields_set
        self.values.update({name: getattr(fields, name) for name in _PLAIN_FIELDS if name in sent})
        if "metadata" in sent:
            self.values["metadata"] = fields.metadata or {}
        if "roles" in sent:
            self.roles = picked(roles, fields.roles or [], f"{pointer}/roles")
        self.addresses.update(fields.addresses or {})

    @property
    def changed(self) -> bool:
        # As texts, because to Python the metadata {"a": 1} and {"a": true} are equal.
        return self.stored is not None and as_json(self.values) != as_json(self.stored)

    @property
    def renamed(self) -> bool:
        return self.stored is not None and any(self.values[name] != self.stored[name] for name in IDENTITIES)

    @property
    def relocated(self) -> bool:
        """Whether their clock shows another time now."""
        return self.stored is not None and self.values["timezone"] != self.stored["timezone"]

    @property
    def blocked(self) -> bool:
        """Whether somebody who was let in would be shut out."""
        return self.stored is not None and self.stored["status"] == "active" != self.values["status"]

    @property
    def moved(self) -> bool:
        """Whether the e-mail is another one, of which nothing is proven."""
        return self.stored is not None and self.values["email"] != self.stored["email"]

    @property
    def may_cease_to_own(self) -> bool:
        """Whether an owner would be one no longer."""
        if self.stored is None:
            return False
        demoted = self.roles is not None and all(role.name != "owner" for role in self.roles)
        return demoted or self.values["status"] != "active"


def _check_timezone(fields: UserFields, pointer: str) -> None:
    if fields.timezone is not None and fields.timezone not in timezones():
        raise Invalid([FieldError(f"{pointer}/timezone", "unknown_timezone", "There is no such timezone (IANA name).")])


async def write(
    session: AsyncSession, project_id: UUID, env: str, drafts: Sequence[Draft], *, password_hash: str | None = None
) -> None:
    """Make these people, all of one environment, what they shall be. ``password_hash`` is for those who are new.

    Raises Conflict where the project would lose its last owner, and IntegrityError where somebody else has an
    e-mail or externalUserId: see ``taken_place``.
    """
    known = [draft for draft in drafts if draft.stored is not None]
    async with an_owner_kept(session, [draft.id for draft in known if draft.may_cease_to_own]):
        await _update(session, [draft for draft in known if draft.changed])
        if any(draft.relocated for draft in known):
            await look_again(session, project_id)
        await _insert(session, project_id, env, [draft for draft in drafts if draft.stored is None], password_hash)
        await _block(session, project_id, [draft.id for draft in known if draft.blocked])
        await take_other_roles(
            session, project_id, {draft.id: draft.roles for draft in known if draft.roles is not None}
        )
        await give_roles(session, project_id, env, {draft.id: draft.roles for draft in drafts if draft.roles})
        await _drop_addresses(session, known)
        await _add_addresses(session, project_id, env, drafts)


async def _block(session: AsyncSession, project_id: UUID, people: Sequence[UUID]) -> None:
    """End what these people have open; should they be let in again, they sign in again."""
    if people:
        await end_sessions_of(session, project_id, people, "block")
        await revoke_all(session, project_id, "user", [str(id_) for id_ in people])


async def _update(session: AsyncSession, drafts: Sequence[Draft]) -> None:
    renamed = [draft.id for draft in drafts if draft.renamed]
    if len(renamed) > 1:
        # One may take the e-mail another gives up, and PostgreSQL compares row by row, in an order of its own.
        await session.execute(_LET_GO, {"people": renamed})
    if drafts:
        rows = [{"id": draft.id, "moved": draft.moved, **draft.values} for draft in drafts]
        await session.execute(_UPDATE, {"rows": as_json(rows)})


_LET_GO = text("UPDATE tocsin.users SET email = NULL, external_user_id = NULL WHERE id = ANY(:people)")
_UPDATE = text("""
UPDATE tocsin.users AS u
SET email = n.email, name = n.name, avatar_url = n.avatar_url, phone = n.phone,
    external_user_id = n.external_user_id, locale = n.locale, timezone = n.timezone, status = n.status,
    metadata = n.metadata, updated_at = now(),
    email_verified_at = CASE WHEN n.moved THEN NULL ELSE u.email_verified_at END
FROM json_to_recordset(CAST(:rows AS json)) AS n(id uuid, moved boolean, email text, name text, avatar_url text,
    phone text, external_user_id text, locale text, timezone text, status text, metadata json)
WHERE u.id = n.id
""")


async def _insert(
    session: AsyncSession, project_id: UUID, env: str, drafts: Sequence[Draft], password_hash: str | None
) -> None:
    if drafts:
        rows = as_json([{"id": draft.id, **draft.values} for draft in drafts])
        await session.execute(_INSERT, {"rows": rows, "project": project_id, "env": env, "password": password_hash})


_INSERT = text("""
INSERT INTO tocsin.users (project_id, env, password_hash, id, email, name, avatar_url, phone, external_user_id,
    locale, timezone, status, metadata)
SELECT :project, :env, :password, n.*
FROM json_to_recordset(CAST(:rows AS json)) AS n(id uuid, email text, name text, avatar_url text, phone text,
    external_user_id text, locale text, timezone text, status text, metadata json)
""")


async def _drop_addresses(session: AsyncSession, drafts: Sequence[Draft]) -> None:
    if rows := _address_rows(drafts):
        await session.execute(_DROP_ADDRESSES, {"rows": as_json(rows)})


# An address that stays keeps its row, and with it whether it was verified and whether the person opted out.
_DROP_ADDRESSES = text("""
DELETE FROM tocsin.addresses AS a
USING json_to_recordset(CAST(:rows AS json)) AS n(user_id uuid, channel text, value text)
WHERE a.user_id = n.user_id AND a.channel = n.channel AND a.value <> n.value
""")


async def _add_addresses(session: AsyncSession, project_id: UUID, env: str, drafts: Sequence[Draft]) -> None:
    if rows := _address_rows(drafts):
        await session.execute(_ADD_ADDRESSES, {"rows": as_json(rows), "project": project_id, "env": env})


_ADD_ADDRESSES = text("""
INSERT INTO tocsin.addresses (project_id, env, id, user_id, channel, value)
SELECT :project, :env, n.*
FROM json_to_recordset(CAST(:rows AS json)) AS n(id uuid, user_id uuid, channel text, value text)
ON CONFLICT DO NOTHING
""")


def _address_rows(drafts: Sequence[Draft]) -> list[dict[str, Any]]:
    return [
        {"id": new_id(), "user_id": draft.id, "channel": channel, "value": value}
        for draft in drafts
        for channel, value in draft.addresses.items()
    ]


@contextmanager
def taken_place() -> Iterator[None]:
    """Say of one person that is written which field somebody else already has."""
    try:
        yield
    except IntegrityError as error:
        name = taken_name(error)
        if name is None:
            raise
        raise taken(name, "") from None


def taken_name(error: IntegrityError) -> str | None:
    """The column of IDENTITIES in which somebody else stands in the way, or None."""
    name = (violated(error) or "").removeprefix("users_").removesuffix("_taken")
    return name if name in IDENTITIES else None


def taken(name: str, pointer: str) -> Conflict:
    """The refusal of a person at this pointer, because somebody else has this one of IDENTITIES."""
    place, code, detail = _TAKEN[name]
    return Conflict(code, detail, errors=[FieldError(pointer + place, code, detail)])
