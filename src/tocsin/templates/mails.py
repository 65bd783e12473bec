"""The mails of Tocsin in the project's own words, as the worker sends them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from tocsin.kit.db import Database, Env
from tocsin.mail.words import REWORDABLE, WORDS, Words, no_link, unlinked
from tocsin.rules import lookup
from tocsin.rules.evaluator import Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import Job, RuleSource
from tocsin.templates.printing import empty_event, printed
from tocsin.users.language import best

_BUTTONS = {str(kind): words.button for kind, words in WORDS.items()}

log = structlog.get_logger(__name__)

# In the sandbox a template of its own stands before a live one.
_WORDINGS = """
SELECT DISTINCT ON (t.language) t.language, t.id, t.subject, t.body,
    (SELECT p.settings->>'language' FROM tocsin.projects p WHERE p.id = t.project_id) AS project_language
FROM tocsin.templates t
WHERE t.project_id = $1 AND t.kind = 'system_mail' AND t.name = $2 ORDER BY t.language, t.env DESC
"""


class OwnWords:
    """Words a mail as its project would; where that fails, nobody waits for it: a link must arrive."""

    def __init__(self, db: Database, evaluator: Evaluator) -> None:
        self._db = db
        self._evaluator = evaluator

    async def __call__(
        self, project_id: UUID, env: Env, kind: str, details: Mapping[str, str], locale: str | None
    ) -> Words | None:
        """None where the words of the installation stand."""
        if kind not in REWORDABLE:
            return None
        async with self._db.unit(project_id, env) as connection:
            rows = await connection.fetch(_WORDINGS, project_id, kind)
            project = await lookup.project_of(connection, project_id) if rows else {}
        found = {row["language"]: row for row in rows}
        language = best(found, locale, rows[0]["project_language"]) if rows else None
        if language is None:
            return None
        told = project | {"name": no_link(project["name"]), "branding": {}}
        return await self._printed(found[language], kind, told, details)

    async def _printed(
        self, row: asyncpg.Record, kind: str, project: dict[str, Any], details: Mapping[str, str]
    ) -> Words | None:
        values = {name: no_link(value) for name, value in details.items() if name != "url"}
        source = RuleSource(str(row["id"]), None, {"title": row["subject"], "message": row["body"]})
        try:
            outcome = await printed(self._evaluator, Job(empty_event(values), None, project, [source]))
        except (EvaluatorUnavailable, TimeoutError) as error:
            log.warning("a mail is sent in our own words", kind=kind, error=str(error))
            return None
        if outcome.error or not outcome.rendered["title"]:
            log.warning("a mail is sent in our own words", kind=kind, project=project["id"], reason=outcome.reason)
            return None
        title, message = outcome.rendered["title"], outcome.rendered["message"]
        return Words(unlinked(title), unlinked(message), _BUTTONS[kind])
