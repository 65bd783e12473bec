"""What every pass calls is planned once per connection: on PostgreSQL before 18 a function in SQL is planned per call.

Measured on 15: claiming events took 1.3 ms and asking which stages wait 3.4 ms, nearly all of it planning. The bodies
stay word for word what they are; only around them PL/pgSQL keeps the plan, as PostgreSQL 18 does for both languages.
"""

from alembic import op

from tocsin.kit.migrate import as_owner, as_pipeline

revision = "0041"
down_revision = "0040"

OWNERS = (
    "connection_candidates",
    "deliveries_are_heard",
    "deliveries_as_told",
    "deliveries_made",
    "may_withhold",
    "patterns_of",
    "subjects",
)
PIPELINES = (
    "claim_deliveries",
    "claim_events",
    "claim_idle_events",
    "claim_inbound",
    "claim_mails",
    "claim_polls",
    "claim_suspect_event",
    "claim_webhooks",
    "connection_limits",
    "due_channel_turns",
    "due_clocks",
    "due_digests",
    "due_held",
    "due_insistences",
    "entitlements",
    "find_api_key",
    "more_waiting_stages",
    "oldest_waiting",
    "recent_revocations",
    "release_expired",
    "waiting_stages",
)

_BODY = """
SELECT pg_catalog.pg_get_functiondef(p.oid), p.prosrc, p.proretset
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = 'tocsin'::regnamespace AND p.proname = '{name}' AND l.lanname = 'sql'
"""


def upgrade() -> None:
    for run, names in ((as_owner, OWNERS), (as_pipeline, PIPELINES)):
        for name in names:
            run(_planned_once(name).replace("{", "{{").replace("}", "}}"))


def _planned_once(name: str) -> str:
    """The same function in PL/pgSQL; where a parameter has the name of a column the column is meant, as in SQL."""
    definition, body, returns_set = op.get_bind().exec_driver_sql(_BODY.format(name=name)).one()
    query = body.strip().removesuffix(";")
    assert ";" not in query, f"{name} does more than one thing"
    kept = f"RETURN QUERY {query};" if returns_set else f"RETURN ({query});"
    text = f"\n#variable_conflict use_column\nBEGIN\n    {kept}\nEND "
    return str(definition.replace(body, text).replace("LANGUAGE sql", "LANGUAGE plpgsql", 1))
