"""Topics may be for those alone who subscribe to them (R4)."""

from tocsin.kit.migrate import as_owner

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    as_owner(MAY_WITHHOLD)
    as_owner(JUDGING)


# As before, and where a topic asks for subscribers.
MAY_WITHHOLD = """
CREATE OR REPLACE FUNCTION tocsin.may_withhold(project uuid) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT EXISTS (SELECT FROM tocsin.users u WHERE u.project_id = project AND u.wishes)
        OR EXISTS (SELECT FROM tocsin.rules r
            WHERE r.project_id = project AND (r.throttle IS NOT NULL OR r.active_times IS NOT NULL))
        OR EXISTS (SELECT FROM tocsin.projects p
            WHERE p.id = project AND (pg_catalog.json_typeof(p.settings->'quietHours') = 'object'
                OR pg_catalog.json_typeof(p.settings->'optInTopics'->0) = 'string')));
END $$;
"""

# As before, and whoever has not subscribed to a topic that asks for it is told by no channel.
JUDGING = """
CREATE OR REPLACE FUNCTION tocsin.judge_deliveries(project uuid, environment text, ids uuid[], fresh boolean)
    RETURNS TABLE (id uuid, live uuid, notification_id uuid, user_id uuid, until timestamptz, reason text)
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    here text := tocsin.zone_here(project);
    usual json := (SELECT p.settings->'quietHours' FROM tocsin.projects p
        WHERE p.id = project AND pg_catalog.json_typeof(p.settings->'quietHours') = 'object');
    opt_in text[] := ARRAY(SELECT t.name FROM tocsin.projects p
        CROSS JOIN LATERAL pg_catalog.json_array_elements_text(p.settings->'optInTopics') AS t (name)
        WHERE p.id = project AND pg_catalog.json_typeof(p.settings->'optInTopics') = 'array');
BEGIN
    RETURN QUERY
    WITH made AS MATERIALIZED (
        SELECT d.id, d.notification_id, d.user_id, d.channel, d.state, d.round
        FROM pg_catalog.unnest(ids) AS w (id) CROSS JOIN LATERAL (
            SELECT * FROM tocsin.deliveries d WHERE d.project_id = project AND d.id = w.id OFFSET 0) d
        WHERE d.state IN ('queued', 'sent')
    ), meant AS MATERIALIZED (
        SELECT m.* FROM made m WHERE m.state = 'queued'
        UNION ALL
        SELECT DISTINCT NULL::uuid, m.notification_id, m.user_id, 'realtime', 'sent', m.round
        FROM made m WHERE m.user_id IS NOT NULL
    ), notes AS MATERIALIZED (
        SELECT n.id, n.topic, n.rule_id, n.priority = 'critical' AS critical, r.throttle, a.zone AS rule_zone,
            CASE WHEN n.priority <> 'critical' AND r.active_times->>'outside' = 'hold'
                THEN tocsin.active_again(r.active_times, a.zone, now()) END AS idle_until
        FROM (SELECT DISTINCT m.notification_id FROM made m) w
        CROSS JOIN LATERAL (SELECT * FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = w.notification_id OFFSET 0) n
        LEFT JOIN LATERAL (SELECT * FROM tocsin.rules r
            WHERE r.project_id = project AND r.id = n.rule_id OFFSET 0) r ON true
        CROSS JOIN LATERAL (SELECT CASE WHEN r.active_times IS NOT NULL
            THEN tocsin.known_zone(coalesce(r.active_times->>'timezone', here)) END AS zone) a
    ), people AS MATERIALIZED (
        SELECT u.id, u.preferences, coalesce(u.timezone, here) AS zone,
            CASE WHEN u.preferences->'quietHours' IS NULL THEN usual
                WHEN pg_catalog.json_typeof(u.preferences->'quietHours') = 'object' THEN u.preferences->'quietHours'
                END AS hours
        FROM (SELECT DISTINCT m.user_id FROM made m) w CROSS JOIN LATERAL (
            SELECT * FROM tocsin.users u WHERE u.project_id = project AND u.id = w.user_id
                AND (u.wishes OR usual IS NOT NULL) OFFSET 0) u
    ), nights AS MATERIALIZED (
        SELECT h.hours, h.zone AS said, tocsin.known_zone(h.zone) AS zone,
            tocsin.quiet_until(h.hours::json, h.zone, now()) AS until
        FROM (SELECT DISTINCT p.hours::text AS hours, p.zone FROM people p WHERE p.hours IS NOT NULL) h
    ), wished AS MATERIALIZED (
        SELECT m.*, n.rule_id, n.critical, n.throttle, n.idle_until, n.rule_zone, q.zone,
            CASE WHEN t.wish->>'muted' = 'true' THEN 'preferences: the topic ' || n.topic || ' is muted'
                WHEN m.user_id IS NOT NULL AND n.topic = ANY (opt_in) AND coalesce(t.wish->>'subscribed', 'false') <> 'true'
                    THEN 'preferences: not subscribed to the topic ' || n.topic
                WHEN p.preferences->'channels'->>m.channel = 'false'
                    THEN 'preferences: ' || m.channel || ' is switched off'
                WHEN pg_catalog.json_typeof(t.wish->'channels') = 'array' AND m.channel NOT IN (
                    SELECT pg_catalog.json_array_elements_text(t.wish->'channels'))
                    THEN 'preferences: the topic ' || n.topic || ' does not come by ' || m.channel
                END AS refused,
            CASE WHEN NOT n.critical AND coalesce(t.wish->>'ignoreQuietHours', 'false') <> 'true' AND (
                coalesce(pg_catalog.json_typeof(p.hours->'channels'), 'null') = 'null'
                OR m.channel IN (SELECT pg_catalog.json_array_elements_text(p.hours->'channels')))
                THEN q.until END AS quiet_until
        FROM meant m JOIN notes n ON n.id = m.notification_id
        LEFT JOIN people p ON p.id = m.user_id
        LEFT JOIN LATERAL (SELECT p.preferences->'topics'->n.topic AS wish) t ON true
        LEFT JOIN nights q ON q.hours = p.hours::text AND q.said = p.zone
    ), coming AS MATERIALIZED (
        SELECT w.rule_id, w.user_id, w.notification_id, (w.throttle->>'max')::integer AS most,
            (w.throttle->>'per_seconds')::integer AS seconds,
            row_number() OVER (PARTITION BY w.rule_id, w.user_id ORDER BY w.notification_id) AS nth,
            count(*) OVER (PARTITION BY w.rule_id, w.user_id) AS times
        FROM (SELECT DISTINCT ON (w.rule_id, w.user_id, w.notification_id) * FROM wished w
            WHERE fresh AND w.round = 0 AND w.throttle IS NOT NULL AND NOT w.critical
                AND w.user_id IS NOT NULL AND w.refused IS NULL) w
    ), counted AS (
        INSERT INTO tocsin.throttles AS t (project_id, env, rule_id, user_id, times, ends_at)
        SELECT project, environment, c.rule_id, c.user_id, c.times, now() + pg_catalog.make_interval(secs => c.seconds)
        FROM coming c WHERE c.nth = 1 ORDER BY c.rule_id, c.user_id
        ON CONFLICT (project_id, env, rule_id, user_id) DO UPDATE SET
            times = CASE WHEN t.ends_at <= now() THEN excluded.times ELSE t.times + excluded.times END,
            ends_at = CASE WHEN t.ends_at <= now() THEN excluded.ends_at ELSE t.ends_at END
        RETURNING t.rule_id, t.user_id, t.times
    ), throttled AS MATERIALIZED (
        SELECT c.notification_id, c.user_id, 'throttle: at most ' || c.most || ' in ' || c.seconds || ' s' AS reason
        FROM coming c JOIN counted k USING (rule_id, user_id) WHERE k.times - c.times + c.nth > c.most
    ), judged AS MATERIALIZED (
        SELECT w.id, w.notification_id, w.user_id,
            CASE WHEN r.reason IS NULL THEN greatest(w.quiet_until, w.idle_until) END AS until,
            coalesce(r.reason, CASE WHEN w.quiet_until >= coalesce(w.idle_until, w.quiet_until)
                THEN 'quiet hours until ' || pg_catalog.to_char(w.quiet_until AT TIME ZONE w.zone, 'HH24:MI ') || w.zone
                ELSE 'active times from ' || pg_catalog.to_char(w.idle_until AT TIME ZONE w.rule_zone, 'HH24:MI ')
                    || w.rule_zone END) AS reason
        FROM wished w LEFT JOIN throttled t USING (notification_id, user_id)
        CROSS JOIN LATERAL (SELECT coalesce(w.refused, t.reason) AS reason) r
        WHERE coalesce(r.reason, w.quiet_until::text, w.idle_until::text) IS NOT NULL
    )
    SELECT j.id, m.id, j.notification_id, j.user_id, j.until, j.reason
    FROM judged j LEFT JOIN made m ON j.id IS NULL AND m.state = 'sent' AND m.channel = 'realtime'
        AND m.notification_id = j.notification_id AND m.user_id = j.user_id;
END $$;
"""
