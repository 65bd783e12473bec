"""Projects whose people sign in by single sign-on alone (`settings.security.requireSso`)."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import Forbidden

_REQUIRED = text("""
SELECT p.slug FROM tocsin.projects p
WHERE p.settings #>> '{security,requireSso}' = 'true' AND NOT EXISTS (
    SELECT FROM tocsin.user_roles ur JOIN tocsin.roles r ON r.project_id = ur.project_id AND r.id = ur.role_id
    WHERE ur.project_id = p.id AND ur.user_id = :user AND r.name = 'owner' AND r.built_in)
""")


async def refuse_password(session: AsyncSession, user_id: UUID) -> None:
    """Raise Forbidden where the project takes no passwords from this person.

    Owners keep theirs, whatever the setting says: with a provider that is away, mistyped or lost, somebody must be
    able to come in and repair it. To be called once the password was right, so that it tells strangers nothing.
    """
    slug = await session.scalar(_REQUIRED, {"user": user_id})
    if slug is not None:
        detail = f"This project asks for single sign-on: begin at /api/v1/auth/sso/{slug}/start."
        raise Forbidden("sso_required", detail)
