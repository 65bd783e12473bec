"""Claims whose cost does not grow with what waits, and one of events that passes over projects that are busy."""

from tocsin.kit.migrate import as_pipeline

revision = "0010"
down_revision = "0009"

# Beside `claim_events`, which the version before goes on calling.
CLAIM = """
CREATE FUNCTION tocsin.claim_idle_events(
    after uuid, most_projects integer, most_each integer, lease_seconds integer, token uuid, busy uuid[])
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
        WHERE w.project_id IS NOT NULL AND w.project_id <> ALL (busy) AND w.project_id <> ALL (ARRAY(
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
REVOKE ALL ON FUNCTION tocsin.claim_idle_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_idle_events TO {app};
"""


# A queue is empty most of the time, and its statistics say so: the planner then finds it cheap to read all that waits
# and sort it, rather than to step through the index of each partition in its order. With 20,000 deliveries waiting each
# claim read 40,000 rows (26 ms), and everybody's deliveries waited for that.
IN_ORDER = """
ALTER FUNCTION tocsin.{name} SET enable_sort = off;
ALTER FUNCTION tocsin.{name} SET enable_seqscan = off;
ALTER FUNCTION tocsin.{name} SET enable_bitmapscan = off;
"""
CLAIMS = ("claim_events", "claim_idle_events", "claim_suspect_event", "claim_deliveries", "ready_due_deliveries")


def upgrade() -> None:
    as_pipeline(CLAIM)
    for name in CLAIMS:
        as_pipeline(IN_ORDER.replace("{name}", name))
