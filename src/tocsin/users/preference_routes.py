"""What a person prefers, over HTTP."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from tocsin.auth.guard import Call, Called, guarded_router, needs
from tocsin.clocks.keep import look_again
from tocsin.kit.errors import NotFound
from tocsin.kit.schema import Answer, Body, PathId, unsent
from tocsin.users.models import User
from tocsin.users.people import find_user
from tocsin.users.schemas import Channel

router = guarded_router(tags=["users"])

_FALLBACK = (
    "By channel. False: where the person has a connection of their own, nothing else sends to them on that channel."
)


TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"), Field(examples=["18:00"])]


class DailySummary(Body):
    """At a time in the person's own zone, else the project's; without one at the time that the rule says."""

    enabled: bool
    time: TimeOfDay | None = None


class DailySummaryAnswer(Answer):
    enabled: bool = False
    time: str | None = None


class PreferencesUpdate(Body):
    """What is left out stays."""

    fallback: Annotated[dict[Channel, bool], Field(max_length=20, description=_FALLBACK)] = unsent()
    daily_summary: DailySummary = unsent()


class PreferencesAnswer(Answer):
    fallback: dict[str, bool] = Field({}, description=_FALLBACK)
    daily_summary: DailySummaryAnswer = DailySummaryAnswer()


@router.get("/users/{user_id}/preferences", operation_id="read_preferences")
@needs("users:read", own=True)
async def read(call: Called, user_id: PathId) -> PreferencesAnswer:
    return _shown(await _find(call, user_id))


@router.put("/users/{user_id}/preferences", operation_id="change_preferences")
@needs("users:manage", own=True)
async def change(call: Called, user_id: PathId, body: PreferencesUpdate) -> PreferencesAnswer:
    user = await _find(call, user_id)
    call.write_to(user.env)
    before = _shown(user)
    user.preferences = {**user.preferences, **body.model_dump(by_alias=True, exclude_unset=True)}
    after = _shown(user)
    if after.daily_summary != before.daily_summary:
        await call.session.flush()
        await look_again(call.session, call.project_id)
    await call.audit("preferences.updated", "user", user.id, before=_audited(before), after=_audited(after))
    return after


async def _find(call: Call, user_id: UUID) -> User:
    """Raises NotFound, for another person's as well where the caller may see own things alone."""
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
    return await find_user(call.session, user_id)


def _shown(user: User) -> PreferencesAnswer:
    return PreferencesAnswer.model_validate(user.preferences)


def _audited(answer: PreferencesAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
