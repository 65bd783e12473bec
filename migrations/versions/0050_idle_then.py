"""Whether a rule is outside of its active times at any moment, not only now (R4, D6)."""

from tocsin.kit.migrate import as_owner

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    as_owner(IDLE)


# One sentence for what matches nothing now, and for what would not have matched then. It is null while hours last, and
# where they hold back instead of skipping.
IDLE = """
CREATE FUNCTION tocsin.idle_reason(project uuid, hours json, moment timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'outside of its active times, which begin again '
        || pg_catalog.to_char(a.again AT TIME ZONE z.zone, 'YYYY-MM-DD HH24:MI ') || z.zone
    FROM (SELECT tocsin.known_zone(coalesce(hours->>'timezone', tocsin.zone_here(project))) AS zone OFFSET 0) z
    CROSS JOIN LATERAL (SELECT tocsin.active_again(hours, z.zone, moment) AS again OFFSET 0) a
    WHERE hours->>'outside' = 'skip'
$$;
CREATE OR REPLACE FUNCTION tocsin.idle_rules(project uuid, environment text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN (
        SELECT pg_catalog.json_object_agg(i.id, i.reason)
        FROM (
            SELECT r.id, tocsin.idle_reason(project, r.active_times, pg_catalog.now()) AS reason
            FROM tocsin.rules r
            WHERE r.project_id = project AND (r.throttle IS NOT NULL OR r.active_times IS NOT NULL)
                AND r.active AND r.active_times->>'outside' = 'skip' OFFSET 0) i
        WHERE i.reason IS NOT NULL);
END $$;
REVOKE ALL ON FUNCTION tocsin.idle_reason FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.idle_reason TO {app};
"""
