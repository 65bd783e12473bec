"""What was sent over a connection for everybody whom it is lent to, counted for its owner."""

from tocsin.kit.migrate import as_pipeline

revision = "0026"
down_revision = "0024"


def upgrade() -> None:
    as_pipeline(COUNTING)


# Numbers alone: whose deliveries they are, and what was wrong with one, is the business of its project. The row
# without a day is the sum.
COUNTING = """
CREATE FUNCTION tocsin.connection_use(project uuid, connection uuid, since timestamptz)
    RETURNS TABLE (day date, sent bigint, delivered bigint, failed bigint, waiting bigint, projects bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c.day, count(*) FILTER (WHERE c.state IN ('sent', 'delivered', 'read')),
        count(*) FILTER (WHERE c.state IN ('delivered', 'read')),
        count(*) FILTER (WHERE c.state = 'failed'),
        count(*) FILTER (WHERE c.state IN ('queued', 'leased') AND c.attempts > 0),
        count(DISTINCT c.project_id)
    FROM (SELECT (tocsin.id_time(d.id) AT TIME ZONE 'UTC')::date AS day, d.state, d.attempts, d.project_id
        FROM tocsin.deliveries d
        WHERE d.connection_project = project AND d.connection_id = connection
            AND d.id >= tocsin.first_id_at(since)) c
    GROUP BY GROUPING SETS ((c.day), ())
$$;
REVOKE ALL ON FUNCTION tocsin.connection_use FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.connection_use TO {platform};
"""
