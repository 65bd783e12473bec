"""What matching decided, written by one statement, and whom its rules mean, read by another."""

from tocsin.kit.migrate import as_owner

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    as_owner(WRITING)


# As JSON, because a notification brings recipients and deliveries along; each part is taken apart where it is written.
# The scope is named here, so that no statement of its own has to: plpgsql runs one after the other.
#
# Feeds are raised in the order of users everywhere, so that two batches never wait for each other crosswise. Without
# nested loops, since the planner expects few people and would compare each of ten thousand with each other.
WRITING = """
CREATE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id,
        rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota)
    SELECT project, environment, n.* FROM pg_catalog.json_to_recordset(made) AS n (id uuid, event_id uuid, event_type text,
        client_event_id text, rule_id uuid, rule_version integer, title text, message text, action json, sound text,
        priority text, require_ack boolean, topic text, internal boolean, over_quota boolean);
    WITH told AS MATERIALIZED (
        SELECT n.id, r.key::uuid AS user_id, r.value AS reason, count(*) OVER (PARTITION BY r.key) AS times,
            row_number() OVER (PARTITION BY r.key ORDER BY n.id) AS nth
        FROM pg_catalog.json_to_recordset(made) AS n (id uuid, recipients json)
        CROSS JOIN LATERAL pg_catalog.json_each_text(n.recipients) AS r
    ), raised AS (
        INSERT INTO tocsin.feeds (project_id, env, user_id, seq)
        SELECT project, environment, t.user_id, count(*) FROM told t GROUP BY t.user_id ORDER BY t.user_id
        ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = feeds.seq + excluded.seq
        RETURNING feeds.user_id, feeds.seq
    )
    INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, reason, feed_seq)
    SELECT project, environment, t.id, t.user_id, t.reason, r.seq - t.times + t.nth FROM told t JOIN raised r USING (user_id);
    INSERT INTO tocsin.deliveries
        (project_id, env, id, notification_id, user_id, channel, rank, state, last_error, sent_at, finished_at)
    SELECT project, environment, p.id::uuid, n.id, CASE WHEN d.personal THEN p.person::uuid END, d.channel, n.rank,
        CASE WHEN n.dropped IS NOT NULL THEN 'dropped' WHEN d.instant THEN 'sent' ELSE 'queued' END, n.dropped,
        CASE WHEN d.instant AND n.dropped IS NULL THEN now() END,
        CASE WHEN d.instant OR n.dropped IS NOT NULL THEN now() END
    FROM pg_catalog.json_to_recordset(made)
        AS n (id uuid, rank smallint, dropped text, recipients json, deliveries json)
    CROSS JOIN LATERAL pg_catalog.json_to_recordset(n.deliveries)
        AS d (channel text, personal boolean, instant boolean, ids json)
    CROSS JOIN LATERAL ROWS FROM (
        pg_catalog.json_array_elements_text(d.ids), pg_catalog.json_object_keys(n.recipients)) AS p (id, person)
    WHERE p.id IS NOT NULL;
END $$;
-- Gives back the events whose lease was still this token's; nothing is written of the others.
CREATE FUNCTION tocsin.write_matched(project uuid, environment text, token uuid, decided json, made json) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[];
    kept json := made;
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH finished AS (
        UPDATE tocsin.events e SET state = 'processed', outcome = d.outcome, trace = d.trace,
            processed_at = pg_catalog.clock_timestamp(), lease_token = NULL, lease_until = NULL
        FROM pg_catalog.json_to_recordset(decided) AS d (id uuid, outcome text, trace json)
        WHERE e.project_id = project AND e.id = d.id AND e.lease_token = token
        RETURNING e.id
    )
    SELECT coalesce(pg_catalog.array_agg(f.id), ARRAY[]::uuid[]) INTO ours FROM finished f;
    IF pg_catalog.cardinality(ours) < pg_catalog.json_array_length(decided) THEN
        SELECT coalesce(pg_catalog.json_agg(n), '[]') INTO kept
        FROM pg_catalog.json_array_elements(made) AS n WHERE (n->>'event_id')::uuid = ANY (ours);
    END IF;
    IF pg_catalog.json_array_length(kept) > 0 THEN
        PERFORM tocsin.write_notifications(project, environment, kept);
    END IF;
    RETURN ours;
END $$;
-- OFFSET 0 has each person looked up by key. Left to itself the planner believes that a project has as few people as
-- most have, and reads all of them again for each member: 23 s for a role of 10,000.
CREATE FUNCTION tocsin.active_people(project uuid, environment text, roles uuid[], users uuid[])
    RETURNS TABLE (role_id uuid, user_id uuid) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN QUERY
    SELECT m.role_id, m.user_id FROM tocsin.user_roles m
    CROSS JOIN LATERAL (
        SELECT u.status FROM tocsin.users u WHERE u.project_id = m.project_id AND u.id = m.user_id OFFSET 0
    ) u
    WHERE m.project_id = project AND m.role_id = ANY (roles) AND u.status = 'active'
    UNION ALL
    SELECT NULL, n.id FROM tocsin.users n
    WHERE n.project_id = project AND n.id = ANY (users) AND n.status = 'active';
END $$;
REVOKE ALL ON FUNCTION tocsin.write_notifications, tocsin.write_matched, tocsin.active_people FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.write_notifications, tocsin.write_matched, tocsin.active_people TO {app};
"""
