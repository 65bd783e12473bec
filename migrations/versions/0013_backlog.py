"""How long the oldest work of a project has been waiting."""

from tocsin.kit.migrate import as_pipeline

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    as_pipeline(OLDEST)


# The smallest id is the oldest row, since ids begin with their time. Each look is one step into a partial index of
# what waits, in every partition until one has something.
OLDEST = """
CREATE FUNCTION tocsin.oldest_waiting(projects uuid[]) RETURNS TABLE (project_id uuid, oldest uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.id, o.id FROM pg_catalog.unnest(projects) AS p (id) CROSS JOIN LATERAL (
        SELECT w.id FROM (
            (SELECT e.id FROM tocsin.events e
             WHERE e.project_id = p.id AND e.state = 'received' AND e.claims = 0 ORDER BY e.id LIMIT 1)
            UNION ALL
            SELECT d.id FROM pg_catalog.generate_series(0, 3) AS r (rank) CROSS JOIN LATERAL (
                SELECT q.id FROM tocsin.deliveries q
                WHERE q.project_id = p.id AND q.rank = r.rank AND q.state = 'queued' AND q.ready
                ORDER BY q.id LIMIT 1) AS d
        ) AS w ORDER BY w.id LIMIT 1) AS o
$$;
REVOKE ALL ON FUNCTION tocsin.oldest_waiting FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.oldest_waiting TO {app};
"""
