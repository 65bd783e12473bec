"""The words of a rule in further languages (R1), checked like the first ones."""

from collections.abc import Iterator, Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.kit.errors import FieldError, Invalid
from tocsin.plans.entitlements import check_feature
from tocsin.rules import templates
from tocsin.rules.schemas import RuleCreate, RuleUpdate, Translation
from tocsin.rules.wording import sources

FEATURE = "languages"
MOST_CHARACTERS = 128 * 1024
"""Of all templates in further languages: compiling them takes the child's time, whoever is next."""


async def refuse_languages(session: AsyncSession, project_id: UUID, body: RuleCreate | RuleUpdate) -> None:
    """Raise Forbidden where the plan has no further languages. What was saved before goes on."""
    if body.translations or (body.digest and body.digest.translations):
        await check_feature(session, project_id, FEATURE)


def mistakes(translations: Mapping[str, Translation] | None, pointer: str) -> Iterator[FieldError]:
    """What is wrong with the templates."""
    kept = {language: said.model_dump() for language, said in (translations or {}).items()}
    if sum(map(len, sources(kept).values())) > MOST_CHARACTERS:
        words = f"All translations together have {MOST_CHARACTERS:,} characters at most."
        yield FieldError(f"{pointer}/translations", "too_long", words)
        return
    for language, said in (translations or {}).items():
        texts: dict[str, str | None] = {"title": said.title, "message": said.message}
        if said.action:
            texts |= {"action/url": said.action.url, "action/label": said.action.label}
        for place, source in texts.items():
            if source is not None:
                yield from templates.check(source, f"{pointer}/translations/{language}/{place}")


async def refuse_unknown_template(session: AsyncSession, name: str | None, kind: str = "notification") -> None:
    """Raise Invalid where a rule names a template that there is not."""
    if name is not None and not (await session.execute(_THERE, {"name": name, "kind": kind})).scalar():
        pointer = "/template" if kind == "notification" else f"/{kind}/template"
        raise Invalid([FieldError(pointer, "unknown_template", f"There is no {kind} template of this name.")])


_THERE = text("SELECT EXISTS (SELECT FROM tocsin.templates t WHERE t.kind = :kind AND t.name = :name)")
