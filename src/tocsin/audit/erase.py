"""Erasing what the audit log tells of a person (GDPR); that something happened, and its chain, stay."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record


async def erase_person(session: AsyncSession, project_id: UUID, env: str, actor: Actor, person: UUID) -> int:
    """Erase what was written about a person and from where the person acted; how many entries that changed.

    It is on the record itself as ``audit.erased``: `tocsin audit verify` takes an erasure without one for tampering.
    """
    entries: int = (
        await session.execute(text("SELECT tocsin.erase_audit_details(:person)"), {"person": str(person)})
    ).scalar_one()
    await record(session, project_id, env, actor, "audit.erased", "user", person, {"entries": entries})
    return entries
