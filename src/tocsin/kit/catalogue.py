"""The walls between projects, read back from the database's own catalogue.

Migrations build the walls; this finds every place where one is missing, whoever made the hole. The tests fail
on any, and `tocsin doctor` tells an operator of them. What is allowed to stand outside a rule is listed here,
by name, so that a widening shows in a review.
"""

from dataclasses import dataclass

import asyncpg

from tocsin.kit.roles import Roles

NO_TENANT = ("alembic_version",)
"""Tables that belong to no project."""

GLOBAL_KEYS = (
    "projects_pkey",
    "projects_slug_taken",
    "api_keys_key_taken",
    "realtime_apps_app_id_taken",
    "domains_domain_taken",
    "hooks_token_taken",
    "meta_apps_token_taken",
    "connections_account_claimed",
)
"""Unique across projects: what identifies a project from outside."""

FOREIGN_REFERENCES = (
    "deliveries_connection_project_connection_id_fkey",
    "reachability_connection_project_connection_id_fkey",
)
"""May point at the platform's project; a check constraint keeps it from any other (database recipe)."""

BOTH_ENVIRONMENTS = ("api_keys", "identity_secrets", "realtime_apps", "audit_log")
"""Have an env, and belong to the account rather than to one environment (A2)."""

PIPELINE_TABLES = (
    "events",
    "event_keys",
    "event_hops",
    "deliveries",
    "projects",
    "api_keys",
    "users",
    "revocations",
    "idempotency_records",
    "used_tokens",
    "plans",
    "quota_counters",
    "quota_notices",
    "usage_hours",
    "usage_marks",
    "active_users",
    "notifications",
    "sessions",
    "call_windows",
    "api_calls",
    "domains",
    "insistences",
    "clocks",
    "throttles",
    "channel_turns",
    "digests",
    "visits",
    "mails",
    "links",
    "mail_counts",
    "audit_log",
    "audit_heads",
    "hooks",
    "inbound_raw",
    "meta_apps",
    "address_links",
    "phone_codes",
    "amendments",
    "webhook_endpoints",
    "webhook_messages",
    "connections",
    "connection_checks",
    "connection_pace",
    "connection_turns",
    "imports",
    "reachability",
    "seen_event_types",
)
"""Read or changed across projects by the functions of the pipeline."""

CROSS_PROJECT = (
    "audit_heads_since",
    "calls_of_projects",
    "calls_per_hour",
    "claim_account",
    "claim_amendments",
    "claim_connection_checks",
    "claim_deliveries",
    "claim_domain_checks",
    "claim_events",
    "claim_idle_events",
    "claim_inbound",
    "claim_mails",
    "claim_polls",
    "claim_suspect_event",
    "claim_webhooks",
    "connection_limits",
    "count_api_calls",
    "due_clocks",
    "due_held",
    "digests_in",
    "due_channel_turns",
    "due_digests",
    "due_insistences",
    "end_pauses",
    "ended_projects",
    "entitlements",
    "erase_audit_details",
    "fail_resting_webhooks",
    "find_api_key",
    "find_domain",
    "find_hook",
    "find_import",
    "find_logins",
    "find_meta_app",
    "find_project",
    "find_sent",
    "find_visits",
    "forget_counters",
    "full_sandboxes",
    "hold_events",
    "hosted_projects",
    "hold_quotas",
    "ingest_events",
    "insists_in",
    "lent_refusals",
    "mail_waits",
    "more_waiting_stages",
    "note_event_types",
    "note_keys_used",
    "oldest_waiting",
    "outlived",
    "plan_catalogue",
    "plans_in_use",
    "platform_candidates",
    "polls_in_vain",
    "purge_audit",
    "ready_due_deliveries",
    "ready_webhooks",
    "recent_revocations",
    "release_expired",
    "reserve_calls",
    "return_turns",
    "roll_up_usage",
    "seal_audit",
    "spend_events",
    "spend_quotas",
    "take_turns",
    "tidy",
    "tidy_connection_checks",
    "tidy_event_hops",
    "tidy_imports",
    "tidy_inbound",
    "tidy_mails",
    "tidy_phone_codes",
    "tidy_throttles",
    "tidy_webhooks",
    "turns_in",
    "untold_notices",
    "untold_outages",
    "usage_of_projects",
    "waiting_stages",
    "webhook_chores",
)
"""Functions that see more than one project; owned by the pipeline role."""

PLATFORM_COLUMNS: dict[str, tuple[str, ...]] = {
    "projects": (
        "id",
        "name",
        "slug",
        "status",
        "plan",
        "overrides",
        "trial_ends_at",
        "region",
        "owner_id",
        "suspended_at",
        "suspended_reason",
        "cancelled_at",
        "cancelled_by",
        "closed_at",
        "created_at",
        "updated_at",
    ),
    "users": ("project_id", "id", "env", "status", "last_seen_at"),
    "events": ("project_id", "id", "env", "state", "outcome", "received_at", "processed_at"),
    "notifications": ("project_id", "id", "env"),
    "deliveries": (
        "project_id",
        "id",
        "env",
        "channel",
        "state",
        "attempts",
        "connection_project",
        "connection_id",
        "created_at",
        "sent_at",
        "finished_at",
    ),
    "connections": (
        "project_id",
        "id",
        "env",
        "provider",
        "channel",
        "owner",
        "status",
        "is_default",
        "use_as_fallback",
        "rate_limit_rps",
        "max_concurrent",
        "suspended_by",
        "verified_at",
        "health_status",
        "last_health_check",
        "created_at",
        "updated_at",
    ),
}
"""What the operator's login reads of every project, and all it may do: counting rows, and no word that people wrote."""

MAINTENANCE = ("drop_outlived_month", "ensure_partitions")
"""Functions that run as the owner of the tables."""

OPEN_TO_ALL = (
    "allowed_networks",
    "current_env",
    "current_project",
    "first_id_at",
    "id_time",
    "quota_period",
    "sound_overrides",
)
"""Functions that read no table."""

APPEND_ONLY = ("audit_log", "audit_heads")
"""Tables that the application can neither change nor delete from."""

CONTENT = (
    "payload",
    "title",
    "message",
    "address",
    "value",
    "captured",
    "credentials",
    "secret",
    "wrapped",
    "trace",
    "details",
    "recipient",
    "data",
    "translations",
    "faults",
    "example",
    "body",
)
"""Columns with what people wrote or must not lose: never readable across projects."""

PROOFS = ("password_hash", "secret_mac", "secret_hash", "previous_mac", "previous_hash", "previous_secret", "nonce")
"""What a caller is checked by: the pipeline's look-ups read some of it, the operator's login none."""


@dataclass(frozen=True, slots=True)
class Hole:
    """One thing that breaks one rule, e.g. ``row security`` and ``tocsin.sounds``."""

    rule: str
    thing: str


async def holes(connection: asyncpg.Connection, roles: Roles) -> list[Hole]:
    """Every hole in the walls; any login may look, for the catalogue is open to all."""
    values = (
        roles.owner,
        roles.pipeline,
        roles.app,
        roles.platform,
        list(NO_TENANT),
        list(GLOBAL_KEYS),
        list(FOREIGN_REFERENCES),
        list(BOTH_ENVIRONMENTS),
        list(PIPELINE_TABLES),
        list(CROSS_PROJECT),
        list(MAINTENANCE),
        list(OPEN_TO_ALL),
        list(CONTENT),
        list(APPEND_ONLY),
        [f"{table}.{column}" for table, columns in PLATFORM_COLUMNS.items() for column in columns],
        list(PROOFS),
    )
    found = []
    for rule, query in RULES.items():
        found += [Hole(rule, row[0]) for row in await connection.fetch(_CONTEXT + query, *values)]
    return found


async def plans_without_initplan(app: asyncpg.Connection) -> list[str]:
    """Tables whose policy asks for the project once per row instead of once per statement; ``app`` is its login."""
    slow = []
    for (table,) in await app.fetch(_READABLE):
        plan = await app.fetch(f"EXPLAIN SELECT 1 FROM {table}")  # noqa: S608 - quoted by the query
        if not any("InitPlan" in line for (line,) in plan):
            slow.append(table)
    return slow


_CONTEXT = """
WITH ours AS (
    SELECT (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1::text) AS owner,
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $2::text) AS pipeline,
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $3::text) AS app,
        (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $4::text) AS platform,
        'tocsin'::regnamespace AS schema,
        $5::text[] AS no_tenant, $6::text[] AS global_keys, $7::text[] AS foreign_references,
        $8::text[] AS both_environments, $9::text[] AS pipeline_tables, $10::text[] AS cross_project,
        $11::text[] AS maintenance, $12::text[] AS open_to_all, $13::text[] AS content,
        $14::text[] AS append_only, $15::text[] AS platform_columns, $16::text[] AS proofs
), tenant AS (
    SELECT c.* FROM pg_catalog.pg_class c, ours
    WHERE c.relnamespace = ours.schema AND c.relkind IN ('r', 'p') AND c.relname <> ALL (ours.no_tenant)
), functions AS (
    SELECT p.* FROM pg_catalog.pg_proc p, ours WHERE p.pronamespace = ours.schema
), walls AS (
    SELECT t.oid AS table_oid, t.relname, p.polname, p.polcmd, p.polroles, p.polpermissive,
        pg_catalog.pg_get_expr(p.polqual, p.polrelid) AS sees,
        pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) AS writes
    FROM tenant t JOIN pg_catalog.pg_policy p ON p.polrelid = t.oid
), grants AS (
    SELECT c.oid, c.relname, c.relkind, c.relispartition, g.grantee, g.privilege_type, g.is_grantable,
        NULL::name AS attname
    FROM pg_catalog.pg_class c, ours, pg_catalog.aclexplode(c.relacl) g
    WHERE c.relnamespace = ours.schema AND g.grantee <> c.relowner
    UNION ALL
    SELECT c.oid, c.relname, c.relkind, c.relispartition, g.grantee, g.privilege_type, g.is_grantable, a.attname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid, ours,
        pg_catalog.aclexplode(a.attacl) g
    WHERE c.relnamespace = ours.schema AND g.grantee <> c.relowner
)
"""

RULES: dict[str, str] = {
    "row security": """
        SELECT t.oid::regclass::text FROM tenant t WHERE NOT (t.relrowsecurity AND t.relforcerowsecurity)
        """,
    "project_id": """
        SELECT t.oid::regclass::text FROM tenant t
        WHERE t.relname <> 'projects' AND NOT EXISTS (
            SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid AND a.attname = 'project_id'
                AND a.attnotnull AND a.atttypid = 'uuid'::regtype)
        """,
    "policy of the application": """
        SELECT pg_catalog.format('%s for %s', t.oid::regclass, needed.words)
        FROM tenant t, ours, (VALUES ('r', 'SELECT', true, false), ('a', 'INSERT', false, true),
            ('w', 'UPDATE', true, true), ('d', 'DELETE', true, false)) AS needed (cmd, words, sees, writes)
        WHERE NOT t.relispartition AND NOT EXISTS (
            SELECT 1 FROM walls w WHERE w.table_oid = t.oid AND w.polpermissive AND ours.app = ANY (w.polroles)
                AND w.polcmd::text IN (needed.cmd, '*')
                AND (NOT needed.sees OR w.sees IS NOT NULL) AND (NOT needed.writes OR w.writes IS NOT NULL))
        """,
    "policy without project": """
        SELECT pg_catalog.format('%s on %s', w.polname, w.table_oid::regclass) FROM walls w, ours
        WHERE ours.app = ANY (w.polroles) AND (
            w.sees NOT LIKE '%( SELECT tocsin.current_project()%'
            OR w.writes NOT LIKE '%( SELECT tocsin.current_project()%')
        """,
    "policy without environment": """
        SELECT pg_catalog.format('%s on %s', w.polname, w.table_oid::regclass) FROM walls w, ours
        WHERE ours.app = ANY (w.polroles) AND w.relname <> ALL (ours.both_environments)
            AND EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = w.table_oid AND a.attname = 'env')
            AND (w.sees NOT LIKE '%( SELECT tocsin.current_env()%'
                OR w.writes NOT LIKE '%( SELECT tocsin.current_env()%')
        """,
    "policy for somebody else": """
        SELECT pg_catalog.format('%s on %s', w.polname, w.table_oid::regclass) FROM walls w, ours
        WHERE NOT w.polroles <@ ARRAY[ours.owner, ours.app, ours.pipeline, ours.platform]
            OR (ours.pipeline = ANY (w.polroles) AND w.relname <> ALL (ours.pipeline_tables))
            OR (ours.platform = ANY (w.polroles) AND (w.polcmd <> 'r'
                OR NOT EXISTS (SELECT 1 FROM unnest(ours.platform_columns) AS c (name)
                    WHERE pg_catalog.split_part(c.name, '.', 1) = w.relname)))
            OR (w.polroles && ARRAY[ours.app, ours.platform] AND pg_catalog.cardinality(w.polroles) > 1)
        """,
    "unique across projects": """
        SELECT i.indexrelid::regclass::text
        FROM pg_catalog.pg_index i JOIN tenant t ON t.oid = i.indrelid
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0], ours
        WHERE (i.indisunique OR i.indisexclusion) AND a.attname IS DISTINCT FROM 'project_id'
            AND c.relname <> ALL (ours.global_keys)
        """,
    "reference across projects": """
        SELECT pg_catalog.format('%s on %s', k.conname, k.conrelid::regclass)
        FROM pg_catalog.pg_constraint k JOIN tenant t ON t.oid = k.conrelid
            JOIN pg_catalog.pg_attribute here ON here.attrelid = k.conrelid AND here.attnum = k.conkey[1]
            JOIN pg_catalog.pg_attribute there ON there.attrelid = k.confrelid AND there.attnum = k.confkey[1], ours
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conname <> ALL (ours.foreign_references)
            AND NOT (here.attname = 'project_id' AND (there.attname = 'project_id'
                OR (there.attname = 'id' AND k.confrelid = pg_catalog.to_regclass('tocsin.projects'))))
        """,
    "reference that would clear project_id": """
        SELECT pg_catalog.format('%s on %s', k.conname, k.conrelid::regclass)
        FROM pg_catalog.pg_constraint k JOIN tenant t ON t.oid = k.conrelid
        WHERE k.contype = 'f' AND k.conparentid = 0 AND k.confdeltype IN ('n', 'd') AND k.confdelsetcols IS NULL
        """,
    "reference into partitions": """
        SELECT pg_catalog.format('%s on %s', k.conname, k.conrelid::regclass)
        FROM pg_catalog.pg_constraint k JOIN tenant t ON t.oid = k.confrelid
        WHERE k.contype = 'f' AND k.conparentid = 0 AND (t.relkind = 'p' OR t.relispartition)
        """,
    "role that is missing": """
        SELECT named.role FROM ours, LATERAL (VALUES ($1::text, ours.owner), ($2::text, ours.pipeline),
            ($3::text, ours.app), ($4::text, ours.platform)) AS named (role, oid) WHERE named.oid IS NULL
        """,
    "role with too much": """
        SELECT r.rolname::text FROM pg_catalog.pg_roles r, ours
        WHERE r.oid IN (ours.owner, ours.pipeline, ours.app, ours.platform) AND (
            r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
            OR (r.rolcanlogin AND r.oid IN (ours.owner, ours.pipeline))
            OR EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m WHERE m.member = r.oid))
        """,
    "owned by the wrong role": """
        SELECT c.oid::regclass::text FROM pg_catalog.pg_class c, ours
        WHERE c.relowner IN (ours.app, ours.platform, ours.pipeline)
            OR (c.relnamespace = ours.schema AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                AND c.relowner <> ours.owner)
        UNION ALL
        SELECT f.oid::regprocedure::text FROM functions f, ours
        WHERE CASE WHEN f.proname = ANY (ours.cross_project) THEN f.proowner <> ours.pipeline
            ELSE f.proowner <> ours.owner END
        """,
    "grant on a partition": """
        SELECT pg_catalog.format('%s on %s', g.privilege_type, g.oid::regclass) FROM grants g WHERE g.relispartition
        """,
    "grant of too much": """
        SELECT pg_catalog.format('%s on %s to %s', g.privilege_type, g.oid::regclass,
            CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(g.grantee)::text END)
        FROM grants g, ours
        WHERE g.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'USAGE') OR g.is_grantable
            OR g.grantee NOT IN (ours.app, ours.platform, ours.pipeline)
            OR (g.grantee = ours.pipeline AND g.relname <> ALL (ours.pipeline_tables))
            OR (g.grantee = ours.platform AND (g.privilege_type <> 'SELECT' OR g.attname IS NULL
                OR pg_catalog.format('%s.%s', g.relname, g.attname) <> ALL (ours.platform_columns)))
        UNION ALL
        SELECT pg_catalog.format('EXECUTE on %s to %s', f.oid::regprocedure, pg_catalog.pg_get_userbyid(ours.platform))
        FROM functions f, ours, pg_catalog.aclexplode(f.proacl) g WHERE g.grantee = ours.platform
        UNION ALL
        SELECT pg_catalog.format('CREATE on schema %s to %s', n.nspname, r.rolname)
        FROM pg_catalog.pg_namespace n, pg_catalog.pg_roles r, ours
        WHERE n.nspname IN ('tocsin', 'public') AND r.oid IN (ours.app, ours.platform, ours.pipeline)
            AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE')
        """,
    "content readable across projects": """
        SELECT pg_catalog.format('%s.%s', t.oid::regclass, a.attname)
        FROM tenant t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped, ours
        WHERE (a.attname = ANY (ours.content)
                AND pg_catalog.has_column_privilege(ours.pipeline, t.oid, a.attnum, 'SELECT'))
            OR (a.attname = ANY (ours.content || ours.proofs)
                AND pg_catalog.has_column_privilege(ours.platform, t.oid, a.attnum, 'SELECT'))
        """,
    "history that can be rewritten": """
        SELECT t.oid::regclass::text FROM tenant t, ours
        WHERE t.relname = ANY (ours.append_only) AND (
            pg_catalog.has_any_column_privilege(ours.app, t.oid, 'UPDATE')
            OR pg_catalog.has_any_column_privilege(ours.platform, t.oid, 'INSERT, UPDATE')
            OR pg_catalog.has_table_privilege(ours.app, t.oid, 'DELETE, TRUNCATE')
            OR pg_catalog.has_table_privilege(ours.platform, t.oid, 'DELETE, TRUNCATE'))
        """,
    "function with its owner's rights": """
        SELECT f.oid::regprocedure::text FROM functions f, ours
        WHERE f.prosecdef AND f.proname <> ALL (ours.cross_project || ours.maintenance)
        """,
    "function without a fixed search_path": """
        SELECT f.oid::regprocedure::text FROM functions f
        WHERE f.prosecdef AND NOT COALESCE('search_path=""' = ANY (f.proconfig), false)
        """,
    "function open to everybody": """
        SELECT f.oid::regprocedure::text FROM functions f, ours
        WHERE f.proname <> ALL (ours.open_to_all) AND (f.proacl IS NULL
            OR EXISTS (SELECT 1 FROM pg_catalog.aclexplode(f.proacl) g WHERE g.grantee = 0))
        """,
    "function that claims to leak nothing": """
        SELECT f.oid::regprocedure::text FROM functions f WHERE f.proleakproof
        """,
    "view past the walls": """
        SELECT c.oid::regclass::text FROM pg_catalog.pg_class c, ours
        WHERE c.relnamespace = ours.schema AND (c.relkind IN ('m', 'f')
            OR (c.relkind = 'v' AND NOT COALESCE('security_invoker=true' = ANY (c.reloptions), false)))
        """,
}

_READABLE = """
SELECT pg_catalog.format('tocsin.%I', c.relname) FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'tocsin'::regnamespace AND c.relkind IN ('r', 'p')
    AND pg_catalog.has_table_privilege(c.oid, 'SELECT') ORDER BY 1
"""
