"""What notifications are heard by where their rules name no sound, over HTTP."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import Invalid
from tocsin.kit.strict_json import escaped
from tocsin.sounds.models import SoundDefaults
from tocsin.sounds.names import unknown_names
from tocsin.sounds.schemas import SoundDefaultsAnswer, SoundDefaultsBody

router = guarded_router(tags=["sounds"])


@router.get("/sounds/defaults", operation_id="read_sound_defaults")
@needs("sounds:read")
async def read(call: Called) -> SoundDefaultsAnswer:
    """Sounds by topic and by priority. The sandbox has those of the live environment until it sets its own."""
    row = (await call.session.scalars(select(SoundDefaults).order_by(SoundDefaults.env.desc()).limit(1))).one_or_none()
    return SoundDefaultsAnswer(topics=row.topics if row else {}, priorities=row.priorities if row else {})


@router.put("/sounds/defaults", operation_id="set_sound_defaults")
@needs("sounds:manage")
async def change(call: Called, body: SoundDefaultsBody) -> SoundDefaultsAnswer:
    """Set all of them at once; what is left out is not kept."""
    priorities = body.priorities.model_dump(exclude_none=True)
    named = {f"/topics/{escaped(topic)}": name for topic, name in body.topics.items()}
    named |= {f"/priorities/{priority}": name for priority, name in priorities.items()}
    if errors := await unknown_names(call.session, call.project_id, named):
        raise Invalid(errors)
    before = await read(call)
    after = SoundDefaultsAnswer(topics=body.topics, priorities=priorities)
    row = {"project_id": call.project_id, "env": call.env}
    upsert = insert(SoundDefaults).values(**row, **after.model_dump())
    await call.session.execute(upsert.on_conflict_do_update(index_elements=list(row), set_=after.model_dump()))
    told = {"before": before.model_dump(), "after": after.model_dump()}
    await call.audit("sound_defaults.set", "sound_defaults", None, **told)
    return after
