"""Whom a rule names: names and ids as people write them, resolved to rows of the same project."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Conflict, FieldError
from tocsin.kit.ids import parse_id
from tocsin.rules.models import Rule, RuleTarget
from tocsin.rules.schemas import RuleCreate, RuleUpdate
from tocsin.users.models import Role, User


@dataclass(slots=True)
class Targets:
    """The roles and people of a rule by id, in its order, and those of the steps of its escalation."""

    roles: list[UUID] = field(default_factory=list)
    users: list[UUID] = field(default_factory=list)
    steps: list["Targets"] = field(default_factory=list)


@dataclass(slots=True)
class Named:
    """The same as an answer shows it: roles by name."""

    roles: list[str] = field(default_factory=list)
    users: list[UUID] = field(default_factory=list)
    steps: list["Named"] = field(default_factory=list)


async def resolve(
    session: AsyncSession, body: RuleCreate | RuleUpdate, pointer: str = ""
) -> tuple[Targets, list[FieldError]]:
    """The targets of what was sent, and each name that is nobody's.

    Doubles are dropped (R1) after the look-up, so that positions are those of what was sent.
    """
    sent_roles = body.target_roles or []
    sent_users = body.target_users or []
    steps = body.escalation or []
    roles = await _roles(session, {*sent_roles, *(name for step in steps for name in step.roles)})
    users = await _users(session, [*sent_users, *(name for step in steps for name in step.users)])
    errors = [
        *_unknown_roles(sent_roles, roles, f"{pointer}/targetRoles"),
        *_unknown_users(sent_users, users, f"{pointer}/targetUsers"),
    ]
    for index, step in enumerate(steps):
        errors += _unknown_roles(step.roles, roles, f"{pointer}/escalation/{index}/roles")
        errors += _unknown_users(step.users, users, f"{pointer}/escalation/{index}/users")
    found = Targets(_each_once(sent_roles, roles), _each_once(sent_users, users))
    found.steps = [Targets(_each_once(step.roles, roles), _each_once(step.users, users)) for step in steps]
    return found, errors


def _each_once(names: Iterable[str], known: dict[str, UUID]) -> list[UUID]:
    return list(dict.fromkeys(known[name] for name in names if name in known))


async def _roles(session: AsyncSession, names: Iterable[str]) -> dict[str, UUID]:
    """Role ids by name; where both environments have one, the test caller gets the test row (A2)."""
    wanted = sorted(set(names))
    if not wanted:
        return {}
    rows = await session.execute(select(Role.name, Role.id).where(Role.name.in_(wanted)).order_by(Role.env))
    return {name: id_ for name, id_ in rows}


async def _users(session: AsyncSession, names: Sequence[str]) -> dict[str, UUID]:
    """User ids by what was written: an id, else an externalUserId, of which the test row wins (A2)."""
    if not names:
        return {}
    ids = [id_ for id_ in map(parse_id, names) if id_ is not None]
    rows = await session.execute(
        select(User.id, User.external_user_id)
        .where(or_(User.id.in_(ids), User.external_user_id.in_(names)))
        .order_by(User.env)
    )
    known = list(rows)
    return {external: id_ for id_, external in known if external} | {str(id_): id_ for id_, _ in known}


def _unknown_roles(names: Sequence[str], known: dict[str, UUID], pointer: str) -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{index}", "unknown_role", f"There is no role {name!r}.")
        for index, name in enumerate(names)
        if name not in known
    ]


def _unknown_users(names: Sequence[str], known: dict[str, UUID], pointer: str) -> list[FieldError]:
    return [
        FieldError(f"{pointer}/{index}", "unknown_user", f"There is no user with the id or externalUserId {name!r}.")
        for index, name in enumerate(names)
        if name not in known
    ]


async def write_targets(session: AsyncSession, rule: Rule, targets: Targets) -> None:
    """Give a rule exactly these targets."""
    await session.execute(delete(RuleTarget).where(RuleTarget.rule_id == rule.id))
    wanted = [
        (role, user, step)
        for step, each in [(None, targets), *enumerate(targets.steps, start=1)]
        for role, user in [*((role, None) for role in each.roles), *((None, user) for user in each.users)]
    ]
    rows = [
        {
            "project_id": rule.project_id,
            "rule_id": rule.id,
            "position": position,
            "env": rule.env,
            "role_id": role,
            "user_id": user,
            "step": step,
        }
        for position, (role, user, step) in enumerate(wanted)
    ]
    if not rows:
        return
    try:
        await session.execute(insert(RuleTarget), rows)
    except IntegrityError:
        raise Conflict("target_deleted", "A role or user of this rule was deleted just now; look again.") from None


async def read_targets(session: AsyncSession, rule_ids: Sequence[UUID]) -> dict[UUID, tuple[Targets, Named]]:
    """The targets of each rule, in one query for any number of rules."""
    found = {rule_id: (Targets(), Named()) for rule_id in rule_ids}
    rows = await session.execute(
        select(RuleTarget.rule_id, RuleTarget.role_id, RuleTarget.user_id, Role.name, RuleTarget.step)
        .outerjoin(Role, (Role.project_id == RuleTarget.project_id) & (Role.id == RuleTarget.role_id))
        .where(RuleTarget.rule_id.in_(rule_ids))
        .order_by(RuleTarget.rule_id, RuleTarget.position)
    )
    for rule_id, role_id, user_id, name, step in rows:
        targets, named = found[rule_id]
        if step is not None:
            while len(targets.steps) < step:
                targets.steps.append(Targets())
                named.steps.append(Named())
            targets, named = targets.steps[step - 1], named.steps[step - 1]
        if role_id is not None:
            targets.roles.append(role_id)
            named.roles.append(name)
        elif user_id is not None:
            targets.users.append(user_id)
            named.users.append(user_id)
    return found
