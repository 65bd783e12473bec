"""The page of a panel, with what it has to know before its first paint."""

import html
import json
import re
from typing import Any

from sqlalchemy import select, text
from starlette.requests import Request

from tocsin import __version__
from tocsin.auth.call import Gate
from tocsin.auth.tenant import PLATFORM_SLUG
from tocsin.kit.errors import Problem
from tocsin.projects.models import Project
from tocsin.projects.run_time import in_force
from tocsin.settings import Settings

# Mantine sets styles on elements; scripts come from our own files alone. Logos are pictures of the project's, which
# may be anywhere on https.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:;"
        " font-src 'self'; connect-src 'self'; media-src 'self' blob:; manifest-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}

_BOOT = '<script type="application/json" id="boot">{}</script>'
_TITLE = re.compile(r"<title>.*?</title>")
_FIND = text("SELECT project_id FROM tocsin.find_project(:slug)")
_SHOWN = ("logoUrl", "favicon", "brandColor", "accent")

MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The panel is not built</title>
<h1>The panel is not built</h1>
<p>This installation runs from sources, and its panel has not been built yet. <code>make panel</code> builds it; that
takes Node 20.19 or newer, or a network to fetch one from.</p>
<p>The API works meanwhile: <a href="/docs">what it takes</a>.</p></html>
"""


async def boot(request: Request, gate: Gate, settings: Settings) -> dict[str, Any]:
    """Which project the address belongs to and how it looks, and who may sign up. Nothing that is not public."""
    run_time = await in_force(gate.db, settings)
    slug = await _of_address(request, gate)
    return {
        "version": __version__,
        "signup": "closed" if settings.single_project else run_time.signup,
        "project": await _looks(gate, slug) if slug else None,
    }


async def _of_address(request: Request, gate: Gate) -> str | None:
    try:
        return await gate.tenants.chosen(_host_alone(request))
    except Problem:
        return None


async def is_of_a_project(request: Request, gate: Gate) -> bool:
    """Whether the host is a project's, or is kept for one: not where the installation's operators sign in."""
    return any(named.name != PLATFORM_SLUG for named in await gate.tenants.named(_host_alone(request)))


def _host_alone(request: Request) -> dict[str, Any]:
    """The request without what a link could say: it could dress the sign-in page up as another's."""
    headers = [each for each in request.scope["headers"] if each[0] == b"host"]
    return {**request.scope, "headers": headers, "query_string": b""}


async def _looks(gate: Gate, slug: str) -> dict[str, Any] | None:
    async with gate.db.unscoped() as session:
        project_id = await session.scalar(_FIND, {"slug": slug})
    if project_id is None:
        return None
    async with gate.db.scope(project_id, "live") as session:
        project = (await session.scalars(select(Project))).one()
    branding = {name: project.branding[name] for name in _SHOWN if name in project.branding}
    return {"slug": slug, "name": project.name, "branding": branding}


def filled(page: str, known: dict[str, Any]) -> str:
    """The page with this written into it. No text of a tenant's can end the element it stands in."""
    text = json.dumps(known).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    page = page.replace(_BOOT, _BOOT.replace("{}", text), 1)
    project = known["project"]
    return _TITLE.sub(lambda _: f"<title>{html.escape(project['name'])}</title>", page, count=1) if project else page
