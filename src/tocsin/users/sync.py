"""Many people at once, as the project's backend knows them: found or made, all or none."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Text, any_, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError

from tocsin.auth.call import Call
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.plans.totals import room_for
from tocsin.users.drafts import IDENTITIES, Draft, taken, taken_name, write
from tocsin.users.models import Role, User
from tocsin.users.rights import changes_standing, check_may_give
from tocsin.users.roles import picked, role_names, roles_named
from tocsin.users.schemas import SyncResult, UserFields

_ATTEMPTS = 3


async def sync_people(call: Call, people: Sequence[UserFields]) -> list[SyncResult]:
    """Create or update these people, found by ``externalUserId``, else by ``email``; a result for each.

    An entry sees what those before it did: a person named twice is updated by the later one, and an e-mail that
    somebody gave up is free. Raises Invalid, Conflict or Forbidden, with a pointer into ``/users/{i}``.
    """
    async with room_for(call.session, call.project_id, call.env, "users", "teamMembers"):
        return await _synced(call, people)


async def _synced(call: Call, people: Sequence[UserFields]) -> list[SyncResult]:
    for _ in range(_ATTEMPTS):
        plan = await _planned(call, people)
        try:
            async with call.session.begin_nested():
                await write(call.session, call.project_id, call.env, list(plan.drafts.values()))
        except IntegrityError as error:
            if taken_name(error) is None:
                raise
            # Somebody else wrote one of these people since they were read. Read again, the plan finds or refuses them.
            continue
        return plan.results
    raise Conflict("sync_overtaken", "Others write the same people at the same time; send the call again.")


async def _planned(call: Call, people: Sequence[UserFields]) -> "_Plan":
    known = await _known(call, people)
    held = await role_names(call.session, [user.id for user in known])
    given = {name for fields in people for name in fields.roles or []}
    roles = await roles_named(call.session, given.union(*held.values()))
    plan = _Plan(call.principal.permissions, known, held, roles)
    for index, fields in enumerate(people):
        plan.take(index, fields)
    check_may_give(call.principal.permissions, [roles[name] for name in sorted(given)])
    return plan


async def _known(call: Call, people: Sequence[UserFields]) -> Sequence[User]:
    """The people of a sync that are there already, of the caller's own environment, until its end nobody else's.

    Locked in one order, so that two syncs of the same people wait for one another instead of standing crosswise.
    """
    externals = literal([fields.external_user_id for fields in people if fields.external_user_id], ARRAY(Text))
    emails = literal([fields.email for fields in people if fields.email], ARRAY(Text))
    query = (
        select(User)
        .where(User.env == call.env, (User.external_user_id == any_(externals)) | (User.email == any_(emails)))
        .order_by(User.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return (await call.session.scalars(query)).all()


class _Plan:
    """What a sync does to people, entry by entry, before any of it is written."""

    def __init__(
        self, permissions: frozenset[str], known: Sequence[User], held: dict[UUID, list[str]], roles: dict[str, Role]
    ) -> None:
        self.drafts = {user.id: Draft.of(user) for user in known}
        self.results: list[SyncResult] = []
        self._permissions = permissions
        self._held = held
        self._roles = roles
        self._holders: dict[str, dict[str, Draft]] = {name: {} for name in IDENTITIES}
        for draft in self.drafts.values():
            self._hold(draft, "")

    def take(self, index: int, fields: UserFields) -> None:
        pointer = f"/users/{index}"
        if fields.external_user_id is None and fields.email is None:
            raise Invalid([FieldError(pointer, "no_identity", "Give externalUserId or email to find the person by.")])
        draft = self._find(fields)
        if draft is None:
            draft = Draft.new(fields, self._roles, pointer=pointer)
            self.drafts[draft.id] = draft
            self.results.append(SyncResult(index=index, id=draft.id, status="created"))
        else:
            self._check_may_change(draft, fields)
            self._let_go(draft)
            draft.take(fields, self._roles, pointer)
            self.results.append(SyncResult(index=index, id=draft.id, status="updated"))
        self._hold(draft, pointer)

    def _find(self, fields: UserFields) -> Draft | None:
        found = (self._holders[name].get(getattr(fields, name) or "") for name in IDENTITIES)
        return next((draft for draft in found if draft is not None), None)

    def _check_may_change(self, draft: Draft, fields: UserFields) -> None:
        held = self._held.get(draft.id, [])
        if changes_standing(draft.values, held, fields):
            check_may_give(self._permissions, picked(self._roles, held, "/roles"))

    def _let_go(self, draft: Draft) -> None:
        for name, holders in self._holders.items():
            holders.pop(draft.values[name], None)

    def _hold(self, draft: Draft, pointer: str) -> None:
        for name, holders in self._holders.items():
            value = draft.values[name]
            if value is not None and holders.setdefault(value, draft) is not draft:
                raise taken(name, pointer)
