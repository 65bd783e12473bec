"""Whom a connection reaches, which one sends, and who may step in."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, for_platform, walled

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    as_owner(REACHABILITY)
    as_owner("\n".join(walled("reachability", "config")))
    as_owner(STEPPING_IN)
    as_owner(
        "\n".join([*walled("connection_visits", "config"), for_pipeline("connections"), for_platform("connections")])
    )
    as_owner(SIGHT)
    as_pipeline(PLATFORMS)
    as_owner(CANDIDATES)


# In the project of the person, even where the platform's connection sends: what one project's people did is nobody
# else's business. The address is a hash, because an opt-out outlives the person it is about.
REACHABILITY = """
CREATE TABLE tocsin.reachability (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    connection_project uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    state text NOT NULL CHECK (state IN ('reachable', 'blocked', 'opted_out')),
    since timestamptz NOT NULL DEFAULT now(),
    reason text,
    PRIMARY KEY (project_id, connection_id, address_hash),
    CHECK (connection_project IN (project_id, '00000000-0000-7000-8000-000000000000')),
    FOREIGN KEY (connection_project, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE INDEX reachability_connection ON tocsin.reachability (connection_project, connection_id);
"""

# Limits that somebody set stand in ``ceilings`` under who did; max_concurrent and rate_limit_rps are the least of them.
STEPPING_IN = """
ALTER TABLE tocsin.connections
    ADD suspended_by text CHECK (suspended_by IN ('project', 'platform')),
    ADD CONSTRAINT connections_of_the_platform
        CHECK (owner <> 'platform' OR project_id = '00000000-0000-7000-8000-000000000000');
CREATE TABLE tocsin.connection_visits (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    visitor text NOT NULL,
    reason text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE INDEX connection_visits_of ON tocsin.connection_visits (project_id, connection_id, visitor);
UPDATE tocsin.roles SET permissions = permissions || '{{connections:manage_all}}'::text[]
WHERE built_in AND name IN ('owner', 'admin') AND 'connections:manage' = ANY (permissions)
    AND NOT 'connections:manage_all' = ANY (permissions);
"""

# No credential, no setting, no account and no name: what both read is which connections there are and how they are.
SIGHT = """
GRANT SELECT (project_id, id, env, provider, channel, owner, status, is_default, use_as_fallback, rate_limit_rps,
    max_concurrent, created_at, updated_at) ON tocsin.connections TO {pipeline};
GRANT SELECT (project_id, id, env, provider, channel, owner, status, is_default, use_as_fallback, rate_limit_rps,
    max_concurrent, suspended_by, verified_at, health_status, last_health_check, created_at, updated_at)
    ON tocsin.connections TO {platform};
"""

# The door through which a project sees what the platform lends: that there is one and how it is. What it sends with is
# read by the sending worker alone, in the platform's own scope.
PLATFORMS = """
CREATE FUNCTION tocsin.platform_candidates(wanted text[])
    RETURNS TABLE (id uuid, env text, provider text, channel text, status text, is_default boolean,
        use_as_fallback boolean, max_concurrent integer, created_at timestamptz, updated_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c.id, c.env, c.provider, c.channel, c.status, c.is_default, c.use_as_fallback, c.max_concurrent,
        c.created_at, c.updated_at
    FROM tocsin.connections c
    WHERE c.project_id = '00000000-0000-7000-8000-000000000000' AND c.env = 'live' AND c.owner = 'platform'
        AND c.is_default AND c.channel = ANY (wanted)
$$;
REVOKE ALL ON FUNCTION tocsin.platform_candidates FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.platform_candidates TO {app};
"""

# Everything that the choice goes by. A project that declines the platform's connections has a row that says so in their
# place. What is known of people's addresses is looked up only in projects where anything is known.
CANDIDATES = """
CREATE OR REPLACE FUNCTION tocsin.connection_candidates(project uuid, wanted text[], people uuid[]) RETURNS json
    LANGUAGE sql STABLE AS $$
    WITH known AS MATERIALIZED (
        SELECT DISTINCT v.value, pg_catalog.sha256(pg_catalog.convert_to(v.value, 'UTF8')) AS hash
        FROM (
            SELECT a.value FROM tocsin.addresses a WHERE a.project_id = project AND a.user_id = ANY (people)
            UNION ALL
            SELECT e.value FROM tocsin.users u CROSS JOIN LATERAL (VALUES (u.email), (u.phone)) AS e (value)
            WHERE u.project_id = project AND u.id = ANY (people)) v
        WHERE v.value IS NOT NULL
            AND EXISTS (SELECT FROM tocsin.reachability r WHERE r.project_id = project)
    ), declining AS MATERIALIZED (
        SELECT p.settings #>> '{{connections,usePlatform}}' = 'false' AS yes FROM tocsin.projects p WHERE p.id = project
    ), candidates AS (
        SELECT c.project_id, c.id, c.env, c.provider, c.channel, c.owner, c.user_id, c.status, c.is_default,
            c.use_as_fallback, c.max_concurrent, c.created_at, c.updated_at,
            c.owner = 'user' AND (SELECT u.preferences #>> ARRAY['fallback', c.channel] = 'false' FROM tocsin.users u
                WHERE u.project_id = project AND u.id = c.user_id) AS alone
        FROM tocsin.connections c
        WHERE c.project_id = project AND c.channel = ANY (wanted)
            AND (c.owner <> 'user' OR c.user_id = ANY (people))
        UNION ALL
        SELECT '00000000-0000-7000-8000-000000000000', c.id, c.env, c.provider, c.channel, 'platform', NULL, c.status,
            c.is_default, c.use_as_fallback, c.max_concurrent, c.created_at, c.updated_at, false
        FROM tocsin.platform_candidates(wanted) c
        WHERE NOT coalesce((SELECT yes FROM declining), false)
        UNION ALL
        SELECT '00000000-0000-7000-8000-000000000000', '00000000-0000-7000-8000-000000000000', 'live', '', w.channel,
            'platform', NULL, 'declined', false, true, NULL, pg_catalog.now(), pg_catalog.now(), false
        FROM unnest(wanted) AS w (channel)
        WHERE coalesce((SELECT yes FROM declining), false)
    )
    SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object(
            'project_id', c.project_id, 'id', c.id, 'provider', c.provider, 'channel', c.channel, 'owner', c.owner,
            'user_id', c.user_id, 'status', c.status, 'use_as_fallback', c.use_as_fallback,
            'max_concurrent', c.max_concurrent, 'version', c.updated_at, 'alone', coalesce(c.alone, false),
            'reach', (SELECT coalesce(pg_catalog.json_object_agg(k.value, r.state), '{{}}')
                FROM known k JOIN tocsin.reachability r
                ON r.project_id = project AND r.connection_id = c.id AND r.address_hash = k.hash))
        ORDER BY c.env DESC, c.is_default DESC, c.created_at), '[]')
    FROM candidates c
$$;
"""
