"""An end to what is kept: retention by project, whole months at once, and tables told how to grow."""

from tocsin.kit.migrate import as_owner, as_pipeline

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    as_owner(KEPT)
    as_owner(INDEXES)
    as_pipeline(OUTLIVED)
    as_owner(MONTHS)


# Days are those of the project, else those of the installation; null: without end. Nothing goes before it was counted,
# so usage stays right after a worker was away for longer than rows are kept.
KEPT = """
GRANT SELECT (compliance) ON tocsin.projects TO {pipeline};
CREATE FUNCTION tocsin.kept_since(otherwise integer)
    RETURNS TABLE (project_id uuid, events uuid, notifications uuid, deliveries uuid)
    LANGUAGE sql STABLE SET search_path = '' AS $$
    -- LEAST passes over nulls, and here a null means that nothing goes.
    SELECT d.id,
        CASE WHEN d.events IS NOT NULL THEN tocsin.first_id_at(
            LEAST(d.counted, pg_catalog.now() - pg_catalog.make_interval(days => d.events))) END,
        CASE WHEN d.notifications IS NOT NULL THEN tocsin.first_id_at(
            LEAST(d.counted, pg_catalog.now() - pg_catalog.make_interval(days => d.notifications))) END,
        CASE WHEN d.deliveries IS NOT NULL THEN tocsin.first_id_at(
            LEAST(d.counted, pg_catalog.now() - pg_catalog.make_interval(days => d.deliveries))) END
    FROM (
        SELECT p.id, COALESCE(m.counted_until, p.created_at) AS counted,
            COALESCE((p.compliance #>> '{{retentionDays,events}}')::integer, otherwise) AS events,
            COALESCE((p.compliance #>> '{{retentionDays,notifications}}')::integer, otherwise) AS notifications,
            COALESCE((p.compliance #>> '{{retentionDays,deliveries}}')::integer, otherwise) AS deliveries
        FROM tocsin.projects p LEFT JOIN tocsin.usage_marks m ON m.project_id = p.id) d
$$;
REVOKE ALL ON FUNCTION tocsin.kept_since FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.kept_since TO {pipeline};
"""

# What must stay in a month that is otherwise over is found without reading the month, and so is the rare among the many
# in lists: what failed, what is urgent, what was acknowledged. Each index but two holds nothing of the ordinary row.
INDEXES = """
CREATE INDEX events_failed ON tocsin.events (project_id, id) WHERE state = 'failed';
CREATE INDEX notifications_event ON tocsin.notifications (project_id, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX notifications_priority ON tocsin.notifications (project_id, priority, id) WHERE priority <> 'normal';
CREATE INDEX notifications_unacknowledged ON tocsin.notifications (project_id, id)
    WHERE require_ack AND acked_at IS NULL;
CREATE INDEX notifications_acknowledged ON tocsin.notifications (project_id, id) WHERE acked_at IS NOT NULL;
CREATE INDEX deliveries_held ON tocsin.deliveries (project_id, id) WHERE state IN ('held', 'gathered');
CREATE INDEX deliveries_ended_badly ON tocsin.deliveries (project_id, state, id)
    WHERE state IN ('failed', 'suppressed', 'dropped', 'cancelled');
CREATE INDEX deliveries_person ON tocsin.deliveries (project_id, user_id, id) WHERE user_id IS NOT NULL;
DROP INDEX tocsin.deliveries_user;
"""

# Finding is all that crosses projects; rows are removed inside the walls of the project.
OUTLIVED = """
CREATE FUNCTION tocsin.outlived(after uuid, most integer, otherwise integer)
    RETURNS TABLE (project_id uuid, events uuid, notifications uuid, deliveries uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT k.project_id,
        CASE WHEN (SELECT e.id FROM tocsin.events e
            WHERE e.project_id = k.project_id AND e.env = 'live' ORDER BY e.id LIMIT 1) < k.events THEN k.events END,
        CASE WHEN (SELECT n.id FROM tocsin.notifications n
            WHERE n.project_id = k.project_id AND n.env = 'live' ORDER BY n.id LIMIT 1) < k.notifications
            THEN k.notifications END,
        CASE WHEN (SELECT d.id FROM tocsin.deliveries d
            WHERE d.project_id = k.project_id AND d.env = 'live' ORDER BY d.id LIMIT 1) < k.deliveries
            THEN k.deliveries END
    FROM (SELECT * FROM tocsin.kept_since(otherwise) s
        WHERE s.project_id > after AND (s.events, s.notifications, s.deliveries) IS DISTINCT FROM (NULL, NULL, NULL)
        ORDER BY s.project_id LIMIT most) k
    ORDER BY k.project_id
$$;
REVOKE ALL ON FUNCTION tocsin.outlived FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.outlived TO {app};
"""

# A month is dropped when every row of it is outlived. The lock on the parent keeps ingestion and sending out, so it is
# waited for shortly, and whoever could not have it comes again: a hundred milliseconds are the most that anybody waits.
# The default partition forbids DETACH CONCURRENTLY; DETACH would make foreign keys of the month its own, with locks on
# users, rules and connections, which a plain DROP does not touch.
MONTHS = """
CREATE FUNCTION tocsin.unfinished_between(kind text, low uuid, high uuid) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = '' AS $$
    SELECT CASE kind
        WHEN 'events' THEN
            EXISTS (SELECT FROM tocsin.events e
                WHERE e.state = 'received' AND e.claims = 0 AND e.id >= low AND e.id < high)
            OR EXISTS (SELECT FROM tocsin.events e
                WHERE e.state = 'received' AND e.claims > 0 AND e.id >= low AND e.id < high)
            OR EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'leased' AND e.id >= low AND e.id < high)
        WHEN 'deliveries' THEN
            EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND d.ready AND d.id >= low AND d.id < high)
            OR EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND NOT d.ready AND d.id >= low AND d.id < high)
            OR EXISTS (SELECT FROM tocsin.deliveries d WHERE d.state = 'leased' AND d.id >= low AND d.id < high)
            OR EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state IN ('held', 'gathered') AND d.id >= low AND d.id < high)
        ELSE EXISTS (SELECT FROM tocsin.notifications n
            WHERE n.require_ack AND n.acked_at IS NULL AND n.id >= low AND n.id < high)
        END
$$;
CREATE FUNCTION tocsin.drop_outlived_month(otherwise integer) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' SET lock_timeout = '100ms' AS $$
DECLARE
    one record;
    kept boolean;
BEGIN
    FOR one IN
        SELECT c.relname AS name, t.parent, t.kind, tocsin.first_id_at(m.first) AS low,
            tocsin.first_id_at(m.first + interval '1 month') AS high,
            tocsin.first_id_at(m.first + interval '1 month 1 day') AS later
        FROM (VALUES (1, 'attempts', 'deliveries'), (2, 'deliveries', 'deliveries'),
                (3, 'notification_recipients', 'notifications'), (4, 'notifications', 'notifications'),
                (5, 'events', 'events')) AS t (position, parent, kind)
        JOIN pg_catalog.pg_inherits i
            ON i.inhparent = pg_catalog.to_regclass('tocsin.' || t.parent)
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relname ~ '_[0-9]{{4}}_[0-9]{{2}}$'
        CROSS JOIN LATERAL (SELECT pg_catalog.to_date(pg_catalog.right(c.relname, 7), 'YYYY_MM')::timestamp
            AT TIME ZONE 'UTC' AS first) m
        WHERE m.first + interval '1 month' < pg_catalog.now() - interval '7 days'
        ORDER BY m.first, t.position
    LOOP
        -- Project by project, one probe each: a month of many millions of rows is not read to see that nobody keeps it.
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM tocsin.kept_since($1) k CROSS JOIN LATERAL
            (SELECT FROM tocsin.%1$I t WHERE t.project_id = k.project_id AND t.id >= $2 AND t.id < $3 LIMIT 1) r
            WHERE k.%1$I IS NULL OR k.%1$I < $3)', one.kind)
        INTO kept USING otherwise, one.low, one.high;
        CONTINUE WHEN kept OR tocsin.unfinished_between(one.kind, one.low, one.high)
            OR (one.kind = 'notifications' AND tocsin.unfinished_between('deliveries', one.low, one.later));
        EXECUTE pg_catalog.format('LOCK TABLE ONLY tocsin.%I IN ACCESS EXCLUSIVE MODE', one.parent);
        -- Somebody may have retried what had been given up, before the lock was ours.
        CONTINUE WHEN tocsin.unfinished_between(one.kind, one.low, one.high);
        EXECUTE pg_catalog.format('DROP TABLE tocsin.%I', one.name);
        RETURN one.name;
    END LOOP;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION tocsin.unfinished_between, tocsin.drop_outlived_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.drop_outlived_month TO {app};
"""
