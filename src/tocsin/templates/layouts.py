"""Layouts of mails: which there is, what is wrong with one, and how a mail within it looks."""

from collections.abc import Iterator
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.channels.contract import Action, Branding, Message
from tocsin.channels.layout.around import STANDARD
from tocsin.channels.layout.check import check
from tocsin.channels.layout.variables import CONTENT, PLACES
from tocsin.channels.mail import html
from tocsin.kit.errors import FieldError
from tocsin.kit.ids import new_id
from tocsin.projects.models import Project
from tocsin.templates.models import Template
from tocsin.templates.schemas import DefaultTemplate, Preview

KIND = "layout"
NAME = "mail"
"""A project has one layout, in as many languages as it likes."""


def standing() -> DefaultTemplate:
    """That of a project without one of its own."""
    variables = sorted(PLACES)
    return DefaultTemplate(
        kind=KIND, name=NAME, subject="", body=STANDARD, variables=variables, must_say=[CONTENT], button=None
    )


def mistakes(name: str, subject: str, body: str) -> Iterator[FieldError]:
    if name != NAME:
        yield FieldError("/name", "unknown_name", f"There is one layout, {NAME}.")
    if subject:
        yield FieldError("/subject", "not_available", "A layout stands around what a mail says; it has no subject.")
    yield from check(body)


async def previewed(session: AsyncSession, row: Template) -> Preview:
    """A mail within it, with the looks of the project."""
    project = (await session.scalars(select(Project))).one()
    looks = Branding.of(project.branding)
    missing = [name for name, value in _LOOKS.items() if name in row.body and not getattr(looks, value)]
    branding = Branding(logo_url=looks.logo_url, color=looks.color, footer=looks.footer, layout=row.body)
    return Preview(subject="", body=html(_sample(project, branding)), missing=missing)


_LOOKS = {"branding.logoUrl": "logo_url", "branding.emailFooter": "footer"}


def _sample(project: Project, branding: Branding) -> Message:
    id_ = new_id()
    return Message(
        delivery_id=id_,
        notification_id=id_,
        project_id=project.id,
        project_name=project.name,
        env="test",
        title="[title]",
        message="[message]",
        priority="normal",
        created_at=datetime.now(UTC),
        action=Action(url="https://example.com/", label="[action]"),
        unsubscribe_url="https://example.com/unsubscribe",
        branding=branding,
    )
