"""What a person prefers, over HTTP."""

from typing import Any
from uuid import UUID

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.clocks.keep import look_again
from tocsin.kit.errors import NotFound
from tocsin.kit.schema import PathId
from tocsin.users.models import User
from tocsin.users.people import find_user
from tocsin.users.preferences import PreferencesAnswer, PreferencesUpdate, prefer, shown

router = guarded_router(tags=["users"])


@router.get("/users/{user_id}/preferences", operation_id="read_preferences")
@needs("users:read", own=True)
async def read(call: Called, user_id: PathId) -> PreferencesAnswer:
    return shown(await _find(call, user_id))


@router.put("/users/{user_id}/preferences", operation_id="change_preferences")
@needs("users:manage", own=True)
async def change(call: Called, user_id: PathId, body: PreferencesUpdate) -> PreferencesAnswer:
    """What is left out stays as it is."""
    user = await _find(call, user_id)
    call.write_to(user.env)
    before = shown(user)
    await prefer(call.session, user, body)
    after = shown(user)
    if after.daily_summary != before.daily_summary:
        await look_again(call.session, call.project_id)
    await call.audit("preferences.updated", "user", user.id, before=_audited(before), after=_audited(after))
    return after


async def _find(call: Call, user_id: UUID) -> User:
    """Raises NotFound, for another person's as well where the caller may see own things alone."""
    if call.own_only and user_id != call.principal.user_id:
        raise NotFound()
    return await find_user(call.session, user_id)


def _audited(answer: PreferencesAnswer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True)
