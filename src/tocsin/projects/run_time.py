"""Settings of the whole installation that the operator may change while it runs.

They are kept with the platform's own project and read where they are used, so a change counts everywhere at once.
What is not set there comes from the environment, else from the default.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints
from sqlalchemy import text

from tocsin.kit.db import Database
from tocsin.kit.ids import PLATFORM_ID
from tocsin.kit.schema import Answer, Body, plain
from tocsin.settings import Settings
from tocsin.users.contact import Email

Signup = Literal["open", "invite", "closed"]
PlanName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$"), Field(examples=["enterprise"])]
Announcement = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True), AfterValidator(plain)
]
Source = Literal["platform", "environment", "default"]

INSTALLATION = "installation"
"""Where they lie among the settings of the platform's project, which has its own like any other."""


class RunTimeSettings(Body):
    """What may be set; null takes a setting back to the environment's."""

    signup: Signup | None = Field(
        None, description="Who may create a project: anybody, whom the operator invites (makes one for), nobody."
    )
    default_plan: PlanName | None = Field(None, description="Plan of a new project.")
    announcement: Announcement | None = Field(None, description="Words for everybody, shown at GET /platform/about.")
    support_email: Email | None = Field(None, description="Where people turn to.")


class InForce(Answer):
    """The settings as they count now."""

    signup: Signup
    default_plan: str
    announcement: str | None
    support_email: str | None


async def stored(db: Database) -> dict[str, Any]:
    """What the operator has set, by the names of ``RunTimeSettings``."""
    async with db.scope(PLATFORM_ID, "live") as session:
        settings = await session.scalar(text("SELECT settings FROM tocsin.projects"))
    return set_in(settings)


def set_in(settings: dict[str, Any] | None) -> dict[str, Any]:
    """The part of the platform's own settings that is the installation's."""
    kept: dict[str, Any] = (settings or {}).get(INSTALLATION, {})
    return kept


async def in_force(db: Database, settings: Settings) -> InForce:
    return combined(await stored(db), settings)


def combined(kept: dict[str, Any], settings: Settings) -> InForce:
    given = {"signup": settings.signup, "default_plan": settings.default_plan}
    return InForce.model_validate({**dict.fromkeys(InForce.model_fields), **given, **kept})


def source_of(name: str, kept: dict[str, Any], settings: Settings) -> Source:
    if name in kept:
        return "platform"
    return "environment" if name in settings.model_fields_set else "default"
