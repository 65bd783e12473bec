"""Calls in the usage of all projects; an override of overage that can be counted with."""

from tocsin.kit.migrate import as_owner, as_pipeline

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    as_owner(OVERRIDES)
    as_pipeline(CALLS)


# What stands in it is read by every event of the project, so what would fail there is refused when it is written.
OVERRIDES = """
CREATE OR REPLACE FUNCTION tocsin.sound_overrides(overrides json) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN overrides IS NULL OR (pg_catalog.json_typeof(overrides) = 'object'
        AND COALESCE(pg_catalog.json_typeof(overrides->'overage') IN ('boolean', 'null'), true)
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.quotas.* ? (@ != null && (@.type() != "number" || @ < 0 || @ > 1000000000000000 || @ % 1 != 0))',
            silent => true)
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.features.* ? (@.type() != "boolean")', silent => true));
"""

CALLS = """
CREATE FUNCTION tocsin.calls_of_projects(wanted uuid[], since timestamptz, until timestamptz)
    RETURNS TABLE (project_id uuid, api_calls bigint, api_errors bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c.project_id, sum(c.calls)::bigint, sum(c.errors)::bigint FROM tocsin.api_calls c
    WHERE c.project_id = ANY (wanted) AND c.day >= (since AT TIME ZONE 'UTC')::date
        AND c.day < (until AT TIME ZONE 'UTC')::date
    GROUP BY c.project_id
$$;
REVOKE ALL ON FUNCTION tocsin.calls_of_projects FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.calls_of_projects TO {app};
"""
