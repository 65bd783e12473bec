"""Rotated keys, guesses at keys, rates kept across processes."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0005"
down_revision = "0004"

COUNTED = ("call_windows", "api_calls")


def upgrade() -> None:
    as_owner(TABLES)
    for table in COUNTED:
        as_owner("\n".join([*walled(table, "account"), for_pipeline(table)]))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(LIMITS)
    as_pipeline(COUNTERS)
    as_pipeline(LOOKUP)


# A subject's row is used again in the next window, so the table does not grow with time. `number` counts windows
# of that length since 1970.
TABLES = """
ALTER TABLE tocsin.api_keys
    ADD auto_revoke_after integer CHECK (auto_revoke_after > 0),
    ADD failed_secrets integer NOT NULL DEFAULT 0;
CREATE TABLE tocsin.call_windows (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    subject text NOT NULL,
    seconds integer NOT NULL,
    number bigint NOT NULL,
    taken bigint NOT NULL,
    PRIMARY KEY (project_id, subject, seconds)
) WITH (fillfactor = 50);
CREATE TABLE tocsin.api_calls (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    day date NOT NULL,
    calls bigint NOT NULL,
    errors bigint NOT NULL,
    PRIMARY KEY (project_id, day)
) WITH (fillfactor = 50);
CREATE FUNCTION tocsin.allowed_networks(settings json) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN pg_catalog.json_typeof(settings #> '{{security,ipAllowList}}') = 'array'
        THEN ARRAY(SELECT pg_catalog.json_array_elements_text(settings #> '{{security,ipAllowList}}'))
        ELSE '{{}}'::text[] END;
"""

PIPELINE_GRANTS = """
GRANT SELECT, INSERT, UPDATE (number, taken) ON tocsin.call_windows TO {pipeline};
GRANT SELECT, INSERT, UPDATE (calls, errors) ON tocsin.api_calls TO {pipeline};
GRANT SELECT (settings, overrides) ON tocsin.projects TO {pipeline};
GRANT SELECT (auto_revoke_after, last_used_at), UPDATE (last_used_at) ON tocsin.api_keys TO {pipeline};
"""

# The one place that says how many calls an hour a project may make; NULL: as many as it likes.
LIMITS = """
CREATE FUNCTION tocsin.calls_per_hour(of_project uuid) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE WHEN pg_catalog.json_typeof(p.overrides #> '{{quotas,apiCallsPerHour}}') = 'number'
        THEN (p.overrides #>> '{{quotas,apiCallsPerHour}}')::numeric::bigint END
    FROM tocsin.projects p WHERE p.id = of_project
$$;
REVOKE ALL ON FUNCTION tocsin.calls_per_hour FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.calls_per_hour TO {app};
"""

# These run outside any scope, as single statements on a hot connection. What a crash of the database could lose
# of a window is some calls that would not be counted, so nobody waits for the disk.
COUNTERS = """
CREATE FUNCTION tocsin.reserve_calls(of_project uuid, of_subject text, length integer, block integer)
    RETURNS TABLE (taken bigint, seconds_left double precision)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    SELECT pg_catalog.set_config('synchronous_commit', 'off', true);
    INSERT INTO tocsin.call_windows AS w (project_id, subject, seconds, number, taken)
    VALUES (of_project, of_subject, length,
        pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp()) / length)::bigint, block)
    ON CONFLICT (project_id, subject, seconds) DO UPDATE
    SET number = GREATEST(w.number, excluded.number),
        taken = CASE WHEN w.number < excluded.number THEN excluded.taken ELSE w.taken + excluded.taken END
    RETURNING w.taken,
        ((w.number + 1) * length - extract(epoch FROM pg_catalog.clock_timestamp()))::double precision
$$;
CREATE FUNCTION tocsin.count_api_calls(projects uuid[], counts bigint[], failures bigint[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    INSERT INTO tocsin.api_calls AS c (project_id, day, calls, errors)
    SELECT s.id, (pg_catalog.now() AT TIME ZONE 'UTC')::date, s.calls, s.errors
    FROM unnest(projects, counts, failures) AS s (id, calls, errors) JOIN tocsin.projects p ON p.id = s.id
    ORDER BY s.id
    ON CONFLICT (project_id, day) DO UPDATE
    SET calls = c.calls + excluded.calls, errors = c.errors + excluded.errors
$$;
CREATE FUNCTION tocsin.note_keys_used(projects uuid[], ids uuid[], moments timestamptz[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH used AS MATERIALIZED (
        SELECT k.project_id, k.id, s.at FROM unnest(projects, ids, moments) AS s (project_id, id, at)
        JOIN tocsin.api_keys k ON k.project_id = s.project_id AND k.id = s.id
        ORDER BY k.project_id, k.id FOR UPDATE OF k
    )
    UPDATE tocsin.api_keys k SET last_used_at = GREATEST(k.last_used_at, u.at)
    FROM used u WHERE k.project_id = u.project_id AND k.id = u.id
$$;
REVOKE ALL ON FUNCTION tocsin.reserve_calls, tocsin.count_api_calls, tocsin.note_keys_used FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.reserve_calls, tocsin.count_api_calls, tocsin.note_keys_used TO {app};
"""

LOOKUP = """
DROP FUNCTION tocsin.find_api_key;
CREATE FUNCTION tocsin.find_api_key(wanted text) RETURNS TABLE (
    project_id uuid, id uuid, env text, secret_mac bytea, secret_hash text, previous_mac bytea,
    previous_hash text, previous_until timestamptz, permissions text[], status text, allowed_ips text[],
    rate_limit json, auto_revoke_after integer, expires_at timestamptz, project_slug text, project_status text,
    allowed_networks text[], calls_per_hour bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT k.project_id, k.id, k.env, k.secret_mac, k.secret_hash, k.previous_mac, k.previous_hash,
        k.previous_until, k.permissions, k.status, k.allowed_ips, k.rate_limit, k.auto_revoke_after, k.expires_at,
        p.slug, p.status, tocsin.allowed_networks(p.settings), tocsin.calls_per_hour(p.id)
    FROM tocsin.api_keys k JOIN tocsin.projects p ON p.id = k.project_id
    WHERE k.key = wanted
$$;
REVOKE ALL ON FUNCTION tocsin.find_api_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_api_key TO {app};
"""
