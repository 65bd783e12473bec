"""Row-level security of a table, as the SQL of a migration (docs/data-model.md, "Walls").

What a table holds decides its walls:

- ``account``: one project, both environments
- ``config``: a test scope also reads what is live, and writes only what is test
- ``traffic``: the environments strictly apart
- ``project``: the table of projects itself

``{owner}``, ``{app}``, ``{pipeline}`` and ``{platform}`` are filled in by ``as_owner``.
"""

from typing import Literal

Kind = Literal["project", "account", "config", "traffic"]

_OWN = "project_id = (SELECT tocsin.current_project())"
_ENV = "env = (SELECT tocsin.current_env())"
_EITHER = f"({_ENV} OR (SELECT tocsin.current_env()) = 'test')"


def walled(table: str, kind: Kind) -> list[str]:
    """The statements that give a new table its walls, and the application its grant."""
    return [
        *forced(table),
        f"CREATE POLICY migrate ON tocsin.{table} TO {{owner}} USING (true) WITH CHECK (true);",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON tocsin.{table} TO {{app}};",
        *_policies(table, kind),
    ]


def forced(table: str) -> list[str]:
    """Row-level security that binds the owner too, and no policy: nobody sees a row."""
    return [
        f"ALTER TABLE tocsin.{table} ENABLE ROW LEVEL SECURITY;",
        f"ALTER TABLE tocsin.{table} FORCE ROW LEVEL SECURITY;",
    ]


def for_pipeline(table: str) -> str:
    """Let the cross-project functions past the wall; what they may touch is granted column by column."""
    return f"CREATE POLICY pipeline ON tocsin.{table} TO {{pipeline}} USING (true) WITH CHECK (true);"


def for_platform(table: str) -> str:
    """Let the operator's login read a table of every project; which columns, is granted one by one."""
    return f"CREATE POLICY platform ON tocsin.{table} FOR SELECT TO {{platform}} USING (true);"


def _policies(table: str, kind: Kind) -> list[str]:
    if kind == "project":
        return _policy(table, "id = (SELECT tocsin.current_project())")
    if kind == "account":
        return _policy(table, _OWN)
    if kind == "config":
        return _policy(table, f"{_OWN} AND {_ENV}", read=f"{_OWN} AND {_EITHER}")
    return _policy(table, f"{_OWN} AND {_ENV}")


def _policy(table: str, write: str, *, read: str | None = None) -> list[str]:
    if read is None:
        return [f"CREATE POLICY tenant ON tocsin.{table} TO {{app}} USING ({write}) WITH CHECK ({write});"]
    return [
        f"CREATE POLICY tenant_read ON tocsin.{table} FOR SELECT TO {{app}} USING ({read});",
        f"CREATE POLICY tenant_insert ON tocsin.{table} FOR INSERT TO {{app}} WITH CHECK ({write});",
        f"CREATE POLICY tenant_update ON tocsin.{table} FOR UPDATE TO {{app}} USING ({write}) WITH CHECK ({write});",
        f"CREATE POLICY tenant_delete ON tocsin.{table} FOR DELETE TO {{app}} USING ({write});",
    ]
