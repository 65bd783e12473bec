"""Connections that the platform lends: what all projects sent over one, and who wants nothing of it."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    as_owner(COUNTING)
    as_owner(for_pipeline("reachability"))
    as_owner("GRANT SELECT (project_id, connection_id, address_hash, state) ON tocsin.reachability TO {pipeline};")
    as_pipeline(REFUSALS)
    as_owner(CANDIDATES)


# Numbers alone: whose deliveries they are, and what was wrong with one, is the business of its project.
COUNTING = """
GRANT SELECT (connection_project, connection_id) ON tocsin.deliveries TO {platform};
"""

# Who tells the account itself to stop tells everybody who sends over it; which project they had in mind, nobody knows.
# A project asks by the hash of an address that it has.
REFUSALS = """
CREATE FUNCTION tocsin.lent_refusals(wanted text[], hashes bytea[])
    RETURNS TABLE (connection_id uuid, address_hash bytea, state text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT r.connection_id, r.address_hash, r.state
    FROM tocsin.connections c JOIN tocsin.reachability r ON r.project_id = c.project_id AND r.connection_id = c.id
    WHERE c.project_id = '00000000-0000-7000-8000-000000000000' AND c.env = 'live' AND c.owner = 'platform'
        AND c.channel = ANY (wanted) AND r.address_hash = ANY (hashes) AND r.state IN ('blocked', 'opted_out')
$$;
REVOKE ALL ON FUNCTION tocsin.lent_refusals FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.lent_refusals TO {app};
"""

# As before, and a refusal that the platform's account was told counts before what the project knows.
CANDIDATES = """
CREATE OR REPLACE FUNCTION tocsin.connection_candidates(project uuid, wanted text[], people uuid[]) RETURNS json
    LANGUAGE sql STABLE AS $$
    WITH declining AS MATERIALIZED (
        SELECT p.settings #>> '{{connections,usePlatform}}' = 'false' AS yes FROM tocsin.projects p WHERE p.id = project
    ), lent AS MATERIALIZED (
        SELECT c.* FROM tocsin.platform_candidates(wanted) c
        WHERE NOT coalesce((SELECT yes FROM declining), false)
    ), known AS MATERIALIZED (
        SELECT DISTINCT v.value, pg_catalog.sha256(pg_catalog.convert_to(v.value, 'UTF8')) AS hash
        FROM (
            SELECT a.value FROM tocsin.addresses a WHERE a.project_id = project AND a.user_id = ANY (people)
            UNION ALL
            SELECT e.value FROM tocsin.users u CROSS JOIN LATERAL (VALUES (u.email), (u.phone)) AS e (value)
            WHERE u.project_id = project AND u.id = ANY (people)) v
        WHERE v.value IS NOT NULL
            AND (EXISTS (SELECT FROM tocsin.reachability r WHERE r.project_id = project)
                OR EXISTS (SELECT FROM lent))
    ), refused AS MATERIALIZED (
        SELECT f.connection_id, f.address_hash, f.state
        FROM tocsin.lent_refusals(wanted, ARRAY(SELECT k.hash FROM known k)) f
        WHERE (SELECT EXISTS (SELECT FROM lent))
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
        FROM lent c
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
            'reach', (SELECT coalesce(pg_catalog.json_object_agg(k.value, coalesce(f.state, r.state)), '{{}}')
                FROM known k
                LEFT JOIN tocsin.reachability r
                    ON r.project_id = project AND r.connection_id = c.id AND r.address_hash = k.hash
                LEFT JOIN refused f ON f.connection_id = c.id AND f.address_hash = k.hash
                WHERE coalesce(f.state, r.state) IS NOT NULL))
        ORDER BY c.env DESC, c.is_default DESC, c.created_at), '[]')
    FROM candidates c
$$;
"""
