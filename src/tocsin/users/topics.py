"""Topics: the names under which rules tell people things, and under which people switch those on and off (R4)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True)
class PersonalTopic:
    """One that may reach a person, with what they said of it, under the names of the API."""

    name: str
    wish: dict[str, Any]
    opt_in: bool
    """It reaches only those who subscribe."""

    @property
    def on(self) -> bool:
        return not self.wish.get("muted") and (not self.opt_in or bool(self.wish.get("subscribed")))

    def switched(self, *, on: bool) -> dict[str, Any]:
        """The wish of whoever switches it on or off; what else it says stays."""
        switch = {"muted": False, "subscribed": on} if self.opt_in else {"muted": not on}
        return {**self.wish, **switch}


async def topics_of(session: AsyncSession, user_id: UUID) -> list[PersonalTopic]:
    """Those of rules that may tell this person something, and those they said something of; of no others."""
    rows = await session.execute(_PERSONAL, {"user": user_id, "most": MOST_SHOWN})
    return [PersonalTopic(row.name, row.wish or {}, row.opt_in) for row in rows]


_PERSONAL = text("""
WITH asked AS MATERIALIZED (
    SELECT t.name FROM tocsin.projects p
    CROSS JOIN LATERAL json_array_elements_text(p.settings->'optInTopics') AS t (name)
)
SELECT n.name, n.name IN (SELECT a.name FROM asked a) AS opt_in,
    (SELECT u.preferences->'topics'->n.name FROM tocsin.users u WHERE u.id = :user) AS wish
FROM (
    SELECT r.topic AS name FROM tocsin.rules r
    WHERE r.active AND r.topic IS NOT NULL AND (r.target_payload_user OR EXISTS (
        SELECT FROM tocsin.rule_targets t
        WHERE t.project_id = r.project_id AND t.rule_id = r.id AND (t.user_id = :user OR t.role_id IN (
            SELECT m.role_id FROM tocsin.user_roles m WHERE m.user_id = :user))))
    UNION
    SELECT k.name FROM tocsin.users u CROSS JOIN LATERAL json_object_keys(u.preferences->'topics') AS k (name)
    WHERE u.id = :user
) n ORDER BY n.name LIMIT :most
""")


async def topics_here(session: AsyncSession) -> list[Any]:
    """Those of the project's rules: how many are active, how many people have muted them, and how many subscribed to
    those that ask for it."""
    return list(await session.execute(_PROJECTS, {"most": MOST_SHOWN}))


_PROJECTS = text("""
WITH asked AS MATERIALIZED (
    SELECT t.name FROM tocsin.projects p
    CROSS JOIN LATERAL json_array_elements_text(p.settings->'optInTopics') AS t (name)
), wished AS MATERIALIZED (
    SELECT t.key AS name, count(*) FILTER (WHERE t.value->>'muted' = 'true') AS muted,
        count(*) FILTER (WHERE t.value->>'subscribed' = 'true'
            AND coalesce(t.value->>'muted', 'false') <> 'true') AS subscribed
    FROM tocsin.users u CROSS JOIN LATERAL json_each(u.preferences->'topics') t
    WHERE u.wishes GROUP BY t.key
)
SELECT r.topic AS name, count(*) FILTER (WHERE r.active) AS rules, coalesce(max(w.muted), 0) AS muted_by,
    a.name IS NOT NULL AS opt_in, CASE WHEN a.name IS NOT NULL THEN coalesce(max(w.subscribed), 0) END AS subscribers
FROM tocsin.rules r LEFT JOIN asked a ON a.name = r.topic LEFT JOIN wished w ON w.name = r.topic
WHERE r.topic IS NOT NULL GROUP BY r.topic, a.name ORDER BY r.topic LIMIT :most
""")
