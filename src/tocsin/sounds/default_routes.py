"""What notifications are heard by where their rules name no sound, over HTTP."""

from sqlalchemy import select

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import Invalid
from tocsin.kit.strict_json import escaped
from tocsin.sounds.models import SoundDefaults
from tocsin.sounds.names import unknown_names
from tocsin.sounds.schemas import DefaultsAnswer, DefaultsBody

router = guarded_router(tags=["sounds"])


@router.get("/sounds/defaults", operation_id="read_sound_defaults")
@needs("sounds:read")
async def read(call: Called) -> DefaultsAnswer:
    """Sounds by topic and by priority. The sandbox has those of the live environment until it sets its own."""
    row = (await call.session.scalars(select(SoundDefaults).order_by(SoundDefaults.env.desc()).limit(1))).one_or_none()
    return DefaultsAnswer(topics=row.topics if row else {}, priorities=row.priorities if row else {})


@router.put("/sounds/defaults", operation_id="set_sound_defaults")
@needs("sounds:manage")
async def change(call: Called, body: DefaultsBody) -> DefaultsAnswer:
    """Set all of them at once; what is left out is not kept."""
    priorities = body.priorities.model_dump(exclude_none=True)
    named = {f"/topics/{escaped(topic)}": name for topic, name in body.topics.items()}
    named |= {f"/priorities/{priority}": name for priority, name in priorities.items()}
    if errors := await unknown_names(call.session, call.project_id, named):
        raise Invalid(errors)
    before = await read(call)
    after = DefaultsAnswer(topics=body.topics, priorities=priorities)
    await call.session.merge(SoundDefaults(project_id=call.project_id, env=call.env, **after.model_dump()))
    told = {"before": before.model_dump(), "after": after.model_dump()}
    await call.audit("sound_defaults.set", "sound_defaults", None, **told)
    return after
