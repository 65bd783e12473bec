"""Which connection of all projects has an account at a provider; who stopped what the platform lends; approved texts."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0027"
down_revision = "0025"


def upgrade() -> None:
    as_owner(CLAIMS)
    as_pipeline(CLAIMING)
    as_owner(for_pipeline("reachability") + STOPS_SEEN)
    as_pipeline(STOPS)
    as_owner(CANDIDATES)
    as_owner(TEMPLATES + "\n".join(walled("message_templates", "config")))


# A keyed hash of the provider and its name for the account: it is compared, and says nothing to whoever reads it.
CLAIMS = """
ALTER TABLE tocsin.connections ADD account_claim bytea;
CREATE UNIQUE INDEX connections_account_claimed ON tocsin.connections (account_claim);
GRANT SELECT (account_claim), UPDATE (account_claim) ON tocsin.connections TO {pipeline};
"""

# For a connection of the project whose scope it is. Several hashes are of several master keys, the present one's first.
# What is not proven, or is proven wrong, gives way to whoever proves the account now; a connection that is being
# changed at this moment does not, so that two never wait for each other.
CLAIMING = """
CREATE FUNCTION tocsin.claim_account(connection uuid, hashes bytea[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    project uuid := tocsin.current_project();
BEGIN
    UPDATE tocsin.connections SET account_claim = NULL WHERE (project_id, id) IN (
        SELECT c.project_id, c.id FROM tocsin.connections c
        WHERE c.account_claim = ANY (hashes) AND c.status IN ('pending', 'error')
            AND (c.project_id, c.id) <> (project, connection) FOR UPDATE SKIP LOCKED);
    IF EXISTS (SELECT FROM tocsin.connections c
        WHERE c.account_claim = ANY (hashes) AND (c.project_id, c.id) <> (project, connection)) THEN
        RETURN false;
    END IF;
    UPDATE tocsin.connections c SET account_claim = hashes[1]
    WHERE c.project_id = project AND c.id = connection AND c.account_claim IS DISTINCT FROM hashes[1];
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION tocsin.claim_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_account TO {app};
"""

STOPS_SEEN = """
GRANT SELECT (project_id, connection_id, address_hash, state) ON tocsin.reachability TO {pipeline};
"""

# What people said to a number or bot of the platform's stands in the platform's own project, for it was said to that
# one, whichever projects send over it. Asked by the hashes of addresses that the asking project knows itself.
STOPS = """
CREATE FUNCTION tocsin.platform_stops(wanted text[], hashes bytea[])
    RETURNS TABLE (connection_id uuid, address_hash bytea, state text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT r.connection_id, r.address_hash, r.state
    FROM tocsin.connections c
    JOIN tocsin.reachability r ON r.project_id = c.project_id AND r.connection_id = c.id
        AND r.address_hash = ANY (hashes) AND r.state IN ('blocked', 'opted_out')
    WHERE c.project_id = '00000000-0000-7000-8000-000000000000' AND c.env = 'live' AND c.owner = 'platform'
        AND c.is_default AND c.channel = ANY (wanted)
$$;
REVOKE ALL ON FUNCTION tocsin.platform_stops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.platform_stops TO {app};
"""

# As before, and a stop that was said to what the platform lends counts for whoever it is lent to. Looked up only where
# anything is lent.
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
    ), stopped AS MATERIALIZED (
        SELECT s.connection_id, s.address_hash, s.state
        FROM tocsin.platform_stops(wanted, ARRAY(SELECT k.hash FROM known k)) s
        WHERE EXISTS (SELECT FROM lent)
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
            'reach', (SELECT coalesce(pg_catalog.json_object_agg(k.value, coalesce(s.state, r.state)), '{{}}')
                FROM known k
                LEFT JOIN tocsin.reachability r
                ON r.project_id = project AND r.connection_id = c.id AND r.address_hash = k.hash
                LEFT JOIN stopped s ON s.connection_id = c.id AND s.address_hash = k.hash
                WHERE s.state IS NOT NULL OR r.state IS NOT NULL))
        ORDER BY c.env DESC, c.is_default DESC, c.created_at), '[]')
    FROM candidates c
$$;
"""

# What a provider has to approve before it may be sent, as it last said. `status` and `category` are its words.
TEMPLATES = """
CREATE TABLE tocsin.message_templates (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    language text NOT NULL,
    status text NOT NULL,
    category text,
    places integer,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT message_templates_once UNIQUE (project_id, connection_id, name, language),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
"""
