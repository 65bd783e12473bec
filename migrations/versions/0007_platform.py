"""What the operator sees: reading across projects, settings at run time, the end of a project."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_platform

revision = "0007"
down_revision = "0006"

SEEN = ("projects", "users", "events", "notifications", "deliveries")


def upgrade() -> None:
    as_owner(LIFE)
    as_owner("\n".join(for_platform(table) for table in SEEN))
    as_owner(SIGHT)
    as_pipeline(QUEUES)


# A project that was suspended and is cancelled keeps the date of the first: taking the second back does not take
# back the first. ``closed_at`` is when its purge began; from then on there is nothing to come back to.
LIFE = """
ALTER TABLE tocsin.projects
    ADD suspended_at timestamptz,
    ADD suspended_reason text,
    ADD cancelled_at timestamptz,
    ADD cancelled_by text,
    ADD closed_at timestamptz;
CREATE INDEX projects_halted ON tocsin.projects (id) WHERE status IN ('suspended', 'cancelled');
GRANT SELECT (cancelled_at) ON tocsin.projects TO {pipeline};
"""

# Column by column: no name, address, payload, message or proof of anybody.
SIGHT = """
GRANT SELECT (id, name, slug, status, plan, overrides, trial_ends_at, region, owner_id, suspended_at, suspended_reason,
    cancelled_at, cancelled_by, closed_at, created_at, updated_at) ON tocsin.projects TO {platform};
GRANT SELECT (project_id, id, env, status, last_seen_at) ON tocsin.users TO {platform};
GRANT SELECT (project_id, id, env, state, outcome, received_at, processed_at) ON tocsin.events TO {platform};
GRANT SELECT (project_id, id, env) ON tocsin.notifications TO {platform};
GRANT SELECT (project_id, id, env, channel, state, attempts, created_at, sent_at, finished_at)
    ON tocsin.deliveries TO {platform};
"""

# What a halted project owes waits where it is, and costs a claim one step over the project and not one per row. So
# deliveries of it may still become ready when they are due: left as they were, they would lie at the head of that
# index for as long as the project is halted, before everybody else's.
QUEUES = """
CREATE OR REPLACE FUNCTION tocsin.claim_events(
    after uuid, most_projects integer, most_each integer, lease_seconds integer, token uuid)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH RECURSIVE waiting AS (
        (SELECT e.project_id FROM tocsin.events e
         WHERE e.state = 'received' AND e.claims = 0 AND e.project_id > after ORDER BY e.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.project_id FROM tocsin.events e
                WHERE e.state = 'received' AND e.claims = 0 AND e.project_id > w.project_id
                ORDER BY e.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id FROM waiting w
        WHERE w.project_id IS NOT NULL AND w.project_id <> ALL (ARRAY(
            SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
        LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, e.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.events q
            WHERE q.project_id = t.project_id AND q.state = 'received' AND q.claims = 0
            ORDER BY q.id LIMIT most_each FOR UPDATE SKIP LOCKED) e
    )
    UPDATE tocsin.events e
    SET state = 'leased', lease_token = token, claims = e.claims + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE e.project_id = p.project_id AND e.id = p.id
    RETURNING e.project_id, e.env, e.id
$$;
CREATE OR REPLACE FUNCTION tocsin.claim_suspect_event(lease_seconds integer, token uuid)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH picked AS MATERIALIZED (
        SELECT q.project_id, q.id FROM tocsin.events q
        WHERE q.state = 'received' AND q.claims > 0 AND q.project_id <> ALL (ARRAY(
            SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
        ORDER BY q.id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE tocsin.events e
    SET state = 'leased', lease_token = token, claims = e.claims + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE e.project_id = p.project_id AND e.id = p.id
    RETURNING e.project_id, e.env, e.id
$$;
CREATE OR REPLACE FUNCTION tocsin.claim_deliveries(
    after uuid, most_projects integer, most_each integer, most integer, lease_seconds integer, token uuid,
    busy uuid[], rooms integer[])
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH RECURSIVE waiting AS (
        (SELECT d.project_id FROM tocsin.deliveries d
         WHERE d.state = 'queued' AND d.ready AND d.project_id > after ORDER BY d.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.project_id FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND d.ready AND d.project_id > w.project_id
                ORDER BY d.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id, COALESCE(r.room, most_each) AS room
        FROM waiting w LEFT JOIN unnest(busy, rooms) AS r (project_id, room) USING (project_id)
        WHERE w.project_id IS NOT NULL AND COALESCE(r.room, most_each) > 0 AND w.project_id <> ALL (ARRAY(
            SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
        LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, d.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.deliveries q
            WHERE q.project_id = t.project_id AND q.state = 'queued' AND q.ready
            ORDER BY q.rank, q.id LIMIT LEAST(t.room, most_each) FOR UPDATE SKIP LOCKED) d
        LIMIT most
    )
    UPDATE tocsin.deliveries d
    SET state = 'leased', lease_token = token, crashes = d.crashes + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE d.project_id = p.project_id AND d.id = p.id
    RETURNING d.project_id, d.env, d.id
$$;
-- Whose time to come back is over; oldest first.
CREATE FUNCTION tocsin.ended_projects(kept_days integer, most integer) RETURNS TABLE (project_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.id FROM tocsin.projects p
    WHERE p.status = 'cancelled' AND p.cancelled_at <= pg_catalog.now() - pg_catalog.make_interval(days => kept_days)
    ORDER BY p.cancelled_at, p.id LIMIT most
$$;
REVOKE ALL ON FUNCTION tocsin.ended_projects FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.ended_projects TO {app};
"""
