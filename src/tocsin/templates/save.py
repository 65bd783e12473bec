"""Saving a template: checked as a whole, then written over what was there."""

import asyncio
from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.db import Env
from tocsin.kit.errors import Conflict, FieldError, Invalid
from tocsin.kit.ids import new_id
from tocsin.mail.words import REWORDABLE
from tocsin.plans.entitlements import check_feature
from tocsin.rules import templates
from tocsin.rules.translations import FEATURE, MOST_CHARACTERS
from tocsin.templates import layouts, system_mails
from tocsin.templates.models import Template
from tocsin.templates.schemas import DraftPreviewBody, TemplateBody

WHITE_LABEL = "whiteLabel"
MAIL_NAMES = templates.NAMES - {"branding"}
"""Mails of Tocsin's own go to strangers too, who get no picture from elsewhere and no link but theirs."""
MOST_TEMPLATES = 1_000
MOST_OF_A_NAME = 40
"""Which a rule prints all of."""


async def save(session: AsyncSession, project_id: UUID, env: Env, body: TemplateBody) -> Template:
    """The template as it is now. Raises Invalid with every mistake at its place, Forbidden where the plan has no
    further languages, Conflict for one too many."""
    await refuse_mistakes(body)
    await session.execute(_LOCK, {"name": f"templates:{project_id}"})
    await _refuse_beyond_plan(session, project_id, body)
    words = {"subject": body.subject, "body": body.body}
    key = {"kind": body.kind, "name": body.name, "channel": body.channel or "", "language": body.language}
    statement = insert(Template).values(project_id=project_id, id=new_id(), env=env, version=1, **key, **words)
    changed = {**words, "version": Template.version + 1, "updated_at": func.now()}
    written = statement.on_conflict_do_update(constraint="templates_once", set_=changed).returning(Template)
    row = (await session.scalars(written, execution_options={"populate_existing": True})).one()
    await _refuse_too_many(session, row)
    return row


async def refuse_mistakes(body: TemplateBody | DraftPreviewBody) -> None:
    """Raise Invalid with everything that is wrong with the words, at its place."""
    if errors := await asyncio.to_thread(lambda: list(_mistakes(body))):
        raise Invalid(errors)


async def _refuse_too_many(session: AsyncSession, row: Template) -> None:
    count, same, characters = (
        await session.execute(_COUNT, {"env": row.env, "kind": row.kind, "name": row.name})
    ).one()
    if count > MOST_TEMPLATES:
        raise Conflict("too_many_templates", f"A project has {MOST_TEMPLATES:,} templates at most.")
    if same > MOST_OF_A_NAME or characters > MOST_CHARACTERS:
        words = f"A template has {MOST_OF_A_NAME} languages and channels and {MOST_CHARACTERS:,} characters at most."
        raise Conflict("template_too_large", words)


async def refuse_in_use(session: AsyncSession, row: Template) -> None:
    """Raise Conflict for the last template of a name that rules go by."""
    where = {"kind": row.kind, "name": row.name, "id": row.id}
    if row.kind in _USES and (await session.execute(_USES[row.kind], where)).scalar():
        raise Conflict("template_in_use", "Rules still name this template; change them first.")


async def _refuse_beyond_plan(session: AsyncSession, project_id: UUID, body: TemplateBody) -> None:
    """Other words for Tocsin's mails take a plan without its name, a second language one that has languages."""
    if body.kind == "system_mail":
        await check_feature(session, project_id, WHITE_LABEL)
    same = select(func.count()).where(Template.kind == body.kind, Template.name == body.name)
    if await session.scalar(same.where(Template.language != body.language)):
        await check_feature(session, project_id, FEATURE)


def _mistakes(body: TemplateBody | DraftPreviewBody) -> Iterator[FieldError]:
    if body.kind == layouts.KIND:
        yield from _of_all_channels(body, "A layout")
        yield from layouts.mistakes(body.name, body.subject, body.body)
        return
    if not body.subject:
        yield FieldError("/subject", "required", "This field is required.")
    names = {"digest": templates.DIGEST_NAMES, "system_mail": MAIL_NAMES}.get(body.kind, templates.NAMES)
    wrong = [*templates.check(body.subject, "/subject", names), *templates.check(body.body, "/body", names)]
    yield from wrong
    if body.kind != "system_mail":
        return
    yield from _of_all_channels(body, "A mail of Tocsin's own")
    if body.name not in REWORDABLE:
        known = ", ".join(REWORDABLE)
        yield FieldError("/name", "unknown_name", f"There is no such mail; there are {known}.")
    elif not wrong:
        yield from system_mails.check(body.name, body.subject, body.body)


def _of_all_channels(body: TemplateBody | DraftPreviewBody, what: str) -> Iterator[FieldError]:
    if isinstance(body, TemplateBody) and body.channel is not None:
        yield FieldError("/channel", "not_available", f"{what} has no channel.")


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
_COUNT = text("""
SELECT count(*), count(*) FILTER (WHERE kind = :kind AND name = :name),
    coalesce(sum(length(subject) + length(body)) FILTER (WHERE kind = :kind AND name = :name), 0)
FROM tocsin.templates WHERE env = :env
""")
_LAST_IN_USE = """
SELECT EXISTS (SELECT FROM tocsin.rules r WHERE {names_it} = :name)
    AND NOT EXISTS (SELECT FROM tocsin.templates t WHERE t.kind = :kind AND t.name = :name AND t.id <> :id)
"""
_USES = {
    "notification": text(_LAST_IN_USE.format(names_it="r.template")),
    "digest": text(_LAST_IN_USE.format(names_it="r.digest->>'template'")),
}
