"""Insistence: notifications that come again and reach further people until somebody acknowledges (R3)."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0030"
down_revision = "0027"

TABLES: dict[str, Kind] = {"insistences": "traffic"}


def upgrade() -> None:
    as_owner(STEPS)
    as_owner(INSISTENCES)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
        as_owner(for_pipeline(table))
    as_owner(PIPELINE_GRANTS)
    as_owner(MATCHING)
    as_owner(WRITING)
    as_owner(READING)
    as_owner(INSIST)
    as_pipeline(DUE)
    as_pipeline(IN_VAIN)
    as_pipeline(WAITING)


# Targets of a step of the escalation stand among those of the rule, so that a role in use is not deleted.
STEPS = """
ALTER TABLE tocsin.rules ADD COLUMN escalation_loops smallint NOT NULL DEFAULT 1;
ALTER TABLE tocsin.rule_targets ADD COLUMN step smallint;
INSERT INTO tocsin.rule_targets (project_id, rule_id, position, env, role_id, step)
SELECT r.project_id, r.id, 1000 + row_number() OVER (PARTITION BY r.project_id, r.id ORDER BY s.nth, n.nth), r.env, o.id,
    s.nth
FROM tocsin.rules r
CROSS JOIN LATERAL pg_catalog.json_array_elements(r.escalation) WITH ORDINALITY AS s (step, nth)
CROSS JOIN LATERAL pg_catalog.json_array_elements_text(s.step->'roles') WITH ORDINALITY AS n (name, nth)
CROSS JOIN LATERAL (
    SELECT q.id FROM tocsin.roles q WHERE q.project_id = r.project_id AND q.name = n.name AND q.env IN ('live', r.env)
    ORDER BY q.env DESC LIMIT 1) o
WHERE pg_catalog.json_typeof(r.escalation) = 'array';
UPDATE tocsin.rules r SET escalation = (
    SELECT pg_catalog.json_agg(pg_catalog.json_build_object('after_seconds', s.step->'after_seconds') ORDER BY s.nth)
    FROM pg_catalog.json_array_elements(r.escalation) WITH ORDINALITY AS s (step, nth))
WHERE pg_catalog.json_typeof(r.escalation) = 'array';
ALTER TABLE tocsin.deliveries ADD COLUMN round smallint NOT NULL DEFAULT 0;
"""

# One row while a notification insists, so the clock's cost follows what is due and not what waits. ``times`` and ``taken``
# count the repeats and steps that were made, ``personal`` has the channels that reach people one by one.
INSISTENCES = """
CREATE TABLE tocsin.insistences (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    notification_id uuid NOT NULL,
    rank smallint NOT NULL,
    personal json NOT NULL,
    instant text[] NOT NULL,
    every_seconds integer,
    most_times integer,
    times smallint NOT NULL DEFAULT 0,
    repeats_at timestamptz,
    steps json NOT NULL,
    loops smallint NOT NULL DEFAULT 1,
    taken smallint NOT NULL DEFAULT 0,
    escalates_at timestamptz,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, notification_id)
);
CREATE INDEX insistences_due ON tocsin.insistences (due_at);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, env, notification_id, due_at), UPDATE (due_at) ON tocsin.insistences TO {pipeline};
GRANT SELECT (poll_token) ON tocsin.hooks TO {pipeline};
"""

# As before, and with how a rule insists.
MATCHING = """
CREATE OR REPLACE FUNCTION tocsin.read_claimed(project uuid, env text, ids uuid[], token uuid) RETURNS json
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', env, true);
    RETURN (
        WITH claimed AS MATERIALIZED (
            SELECT e.id, e.type, e.payload, e.source, e.client_event_id, e.internal,
                coalesce(e.client_timestamp, e.received_at) AS moment, e.payload->>'userId' AS subject
            FROM tocsin.events e
            WHERE e.project_id = project AND e.id = ANY (ids) AND e.lease_token = token
        ), patterns AS MATERIALIZED (
            SELECT DISTINCT p.pattern FROM (SELECT DISTINCT c.type FROM claimed c) c
            CROSS JOIN LATERAL unnest(tocsin.patterns_of(c.type)) AS p (pattern)
        ), found AS MATERIALIZED (
            SELECT DISTINCT p.rule_id FROM patterns w CROSS JOIN LATERAL (
                SELECT p.rule_id FROM tocsin.rule_patterns p
                WHERE p.project_id = project AND p.pattern = w.pattern OFFSET 0) p
        )
        SELECT pg_catalog.json_build_object(
            'project', (SELECT pg_catalog.json_build_object('id', p.id, 'name', p.name, 'slug', p.slug)
                FROM tocsin.projects p WHERE p.id = project),
            'events', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', c.id, 'type', c.type, 'payload', c.payload, 'source', c.source,
                    'client_event_id', c.client_event_id, 'moment', c.moment, 'internal', c.internal) ORDER BY c.id)
                FROM claimed c), '[]'),
            'rules', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', r.id, 'version', r.version, 'name', r.name, 'event_types', r.event_types,
                    'condition', r.condition, 'title', r.title, 'message', r.message, 'action', r.action,
                    'channels', r.channels, 'sound', r.sound, 'priority', r.priority,
                    'require_ack', r.require_ack, 'topic', r.topic,
                    'target_payload_user', r.target_payload_user,
                    'target_destinations', r.target_destinations,
                    'target_roles', ARRAY(SELECT t.role_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.role_id IS NOT NULL AND t.step IS NULL
                        ORDER BY t.position),
                    'target_users', ARRAY(SELECT t.user_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.user_id IS NOT NULL AND t.step IS NULL
                        ORDER BY t.position),
                    'repeat', r.repeat, 'escalation_loops', r.escalation_loops,
                    'escalation', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                            'after_seconds', s.step->'after_seconds',
                            'roles', ARRAY(SELECT t.role_id FROM tocsin.rule_targets t
                                WHERE t.project_id = project AND t.rule_id = r.id AND t.step = s.nth
                                    AND t.role_id IS NOT NULL ORDER BY t.position),
                            'users', ARRAY(SELECT t.user_id FROM tocsin.rule_targets t
                                WHERE t.project_id = project AND t.rule_id = r.id AND t.step = s.nth
                                    AND t.user_id IS NOT NULL ORDER BY t.position)) ORDER BY s.nth)
                        FROM pg_catalog.json_array_elements(r.escalation) WITH ORDINALITY AS s (step, nth))))
                FROM found f CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.rules r WHERE r.project_id = project AND r.id = f.rule_id OFFSET 0) r
                WHERE r.active), '[]'),
            'subjects', tocsin.subjects(project, ARRAY(
                SELECT DISTINCT c.subject FROM claimed c WHERE c.subject IS NOT NULL)))
    );
END $$;
"""

# As before, and with a row for each notification that insists. Times count from the commit of the notification.
WRITING = """
CREATE OR REPLACE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
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
        (project_id, env, id, notification_id, user_id, address_id, destination_id, address, channel, rank, state,
        last_error, sent_at, finished_at)
    SELECT project, environment, p.id::uuid, n.id,
        CASE WHEN d.personal THEN coalesce(p.named, p.person)::uuid END, p.device::uuid,
        d.destination, d.address, d.channel, n.rank,
        CASE WHEN n.dropped IS NOT NULL THEN 'dropped' WHEN d.instant THEN 'sent' ELSE 'queued' END, n.dropped,
        CASE WHEN d.instant AND n.dropped IS NULL THEN now() END,
        CASE WHEN d.instant OR n.dropped IS NOT NULL THEN now() END
    FROM pg_catalog.json_to_recordset(made)
        AS n (id uuid, rank smallint, dropped text, recipients json, deliveries json)
    CROSS JOIN LATERAL pg_catalog.json_to_recordset(n.deliveries)
        AS d (channel text, personal boolean, instant boolean, ids json, people json, devices json,
            destination uuid, address text)
    CROSS JOIN LATERAL ROWS FROM (
        pg_catalog.json_array_elements_text(d.ids), pg_catalog.json_object_keys(n.recipients),
        pg_catalog.json_array_elements_text(d.people), pg_catalog.json_array_elements_text(d.devices))
        AS p (id, person, named, device)
    WHERE p.id IS NOT NULL;
    INSERT INTO tocsin.insistences (project_id, env, notification_id, rank, personal, instant, every_seconds, most_times,
        repeats_at, steps, loops, escalates_at, due_at)
    SELECT project, environment, i.*, least(i.repeats_at, i.escalates_at) FROM (
        SELECT n.id, n.rank, n.insist->'personal',
            ARRAY(SELECT pg_catalog.json_array_elements_text(n.insist->'instant')),
            (n.insist->>'every_seconds')::integer, (n.insist->>'most_times')::integer,
            now() + pg_catalog.make_interval(secs => (n.insist->>'every_seconds')::integer) AS repeats_at,
            coalesce(n.insist->'steps', '[]'), (n.insist->>'loops')::smallint,
            now() + pg_catalog.make_interval(secs => (n.insist->'steps'->0->>'after_seconds')::integer) AS escalates_at
        FROM pg_catalog.json_to_recordset(made) AS n (id uuid, rank smallint, dropped text, insist json)
        WHERE pg_catalog.json_typeof(n.insist) = 'object' AND n.dropped IS NULL) i;
END $$;
"""

# As before, and with whether a delivery is of a notification that somebody has acknowledged.
READING = """
CREATE OR REPLACE FUNCTION tocsin.read_outgoing(project uuid, env text, ids uuid[], token uuid, addressed text[]) RETURNS json
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', env, true);
    RETURN (
        WITH ours AS MATERIALIZED (
            SELECT d.id, d.notification_id, d.user_id, d.address_id, d.channel, d.attempts, d.rank, d.round,
                d.created_at
            FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.id = ANY (ids) AND d.lease_token = token
        ), everybody AS MATERIALIZED (
            SELECT r.notification_id, r.user_id
            FROM (SELECT DISTINCT o.notification_id FROM ours o WHERE o.user_id IS NULL) w
            CROSS JOIN LATERAL (
                SELECT * FROM tocsin.notification_recipients r
                WHERE r.project_id = project AND r.notification_id = w.notification_id OFFSET 0) r
        )
        SELECT pg_catalog.json_build_object(
            'project_name', (SELECT p.name FROM tocsin.projects p WHERE p.id = project),
            'deliveries', coalesce((SELECT pg_catalog.json_agg(o ORDER BY o.rank, o.id) FROM ours o), '[]'),
            'notifications', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', n.id, 'title', n.title, 'message', n.message, 'action', n.action, 'sound', n.sound,
                    'priority', n.priority, 'require_ack', n.require_ack, 'created_at', n.created_at,
                    'event_id', n.event_id, 'event_type', n.event_type, 'client_event_id', n.client_event_id,
                    'acknowledged', n.acked_at IS NOT NULL))
                FROM (SELECT DISTINCT o.notification_id FROM ours o) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.notifications n
                    WHERE n.project_id = project AND n.id = w.notification_id OFFSET 0) n), '[]'),
            'people', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', u.id, 'external_user_id', u.external_user_id, 'name', u.name, 'email', u.email,
                    'phone', u.phone, 'locale', u.locale, 'status', u.status))
                FROM (SELECT o.user_id FROM ours o UNION SELECT e.user_id FROM everybody e) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.users u WHERE u.project_id = project AND u.id = w.user_id OFFSET 0) u), '[]'),
            'recipients', coalesce((SELECT pg_catalog.json_object_agg(g.notification_id, g.people) FROM (
                    SELECT e.notification_id, pg_catalog.json_agg(e.user_id ORDER BY e.user_id) AS people
                    FROM everybody e GROUP BY e.notification_id) g), '{{}}'),
            'addresses', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', a.id, 'user_id', a.user_id, 'channel', a.channel, 'value', a.value,
                    'refused', a.opted_out_at IS NOT NULL)
                    ORDER BY a.opted_out_at IS NULL, a.id)
                FROM (SELECT DISTINCT o.user_id FROM ours o WHERE o.channel = ANY (addressed)) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.addresses a
                    WHERE a.project_id = project AND a.user_id = w.user_id OFFSET 0) a), '[]'),
            'connections', tocsin.connection_candidates(project,
                ARRAY(SELECT DISTINCT o.channel FROM ours o), ARRAY(SELECT DISTINCT o.user_id FROM ours o)))
    );
END $$;
"""

# What is due of one project, each notification in one hand, all in one transaction: whoever ends in the middle has done
# nothing. A repeat goes wherever the notification went, but where the last one still waits or was refused. A step reaches
# people by the channels of the rule. What was acknowledged meanwhile insists no more. After an outage it goes on with one
# repeat, in the rhythm it had.
INSIST = """
CREATE FUNCTION tocsin.insist(project uuid, environment text, ids uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql SET enable_nestloop = on AS $$
DECLARE
    acted uuid[];
    ended uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH due AS MATERIALIZED (
        SELECT i.*, coalesce(i.repeats_at <= now(), false) AS again, coalesce(i.escalates_at <= now(), false) AS further
        FROM tocsin.insistences i
        WHERE i.project_id = project AND i.notification_id = ANY (ids) AND i.due_at <= now()
        ORDER BY i.notification_id FOR UPDATE SKIP LOCKED
    ), open AS MATERIALIZED (
        SELECT d.*, d.times + d.taken + d.again::integer + d.further::integer AS round,
            pg_catalog.json_array_length(d.steps) AS size
        FROM due d CROSS JOIN LATERAL (
            SELECT 1 FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = d.notification_id AND n.acked_at IS NULL OFFSET 0) n
    ), counted AS MATERIALIZED (
        SELECT o.notification_id, o.times + o.again::integer AS times, o.taken + o.further::integer AS taken,
            CASE WHEN NOT o.again THEN o.repeats_at WHEN o.times + 1 < o.most_times THEN o.repeats_at
                + pg_catalog.make_interval(secs => o.every_seconds
                    * (1 + floor(extract(epoch FROM now() - o.repeats_at) / o.every_seconds))) END AS repeats_at,
            CASE WHEN NOT o.further THEN o.escalates_at WHEN o.taken + 1 < o.size * o.loops THEN now()
                + pg_catalog.make_interval(secs => (o.steps->((o.taken + 1) % o.size)->>'after_seconds')::integer)
                END AS escalates_at
        FROM open o
    ), moved AS (
        UPDATE tocsin.insistences i SET times = c.times, taken = c.taken, repeats_at = c.repeats_at,
            escalates_at = c.escalates_at, due_at = least(c.repeats_at, c.escalates_at)
        FROM counted c
        WHERE i.project_id = project AND i.notification_id = c.notification_id
            AND num_nonnulls(c.repeats_at, c.escalates_at) > 0
        RETURNING i.notification_id
    ), over AS (
        DELETE FROM tocsin.insistences i USING due d
        WHERE i.project_id = project AND i.notification_id = d.notification_id AND NOT EXISTS (
            SELECT FROM counted c WHERE c.notification_id = d.notification_id
                AND num_nonnulls(c.repeats_at, c.escalates_at) > 0)
    ), there AS MATERIALIZED (
        SELECT r.notification_id, r.user_id FROM open o CROSS JOIN LATERAL (
            SELECT * FROM tocsin.notification_recipients r
            WHERE r.project_id = project AND r.notification_id = o.notification_id OFFSET 0) r
        WHERE o.further
    ), meant AS MATERIALIZED (
        SELECT DISTINCT o.notification_id, p.user_id FROM open o
        CROSS JOIN LATERAL (SELECT o.steps->(o.taken % o.size) AS step OFFSET 0) s
        CROSS JOIN LATERAL tocsin.active_people(project, environment,
            ARRAY(SELECT t::uuid FROM pg_catalog.json_array_elements_text(s.step->'roles') AS t),
            ARRAY(SELECT t::uuid FROM pg_catalog.json_array_elements_text(s.step->'users') AS t)) AS p
        WHERE o.further
    ), added AS MATERIALIZED (
        SELECT m.notification_id, m.user_id, count(*) OVER (PARTITION BY m.user_id) AS times,
            row_number() OVER (PARTITION BY m.user_id ORDER BY m.notification_id) AS nth
        FROM meant m
        WHERE NOT EXISTS (SELECT FROM there t WHERE (t.notification_id, t.user_id) = (m.notification_id, m.user_id))
    ), raised AS (
        INSERT INTO tocsin.feeds (project_id, env, user_id, seq)
        SELECT project, environment, a.user_id, count(*) FROM added a GROUP BY a.user_id ORDER BY a.user_id
        ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = feeds.seq + excluded.seq
        RETURNING feeds.user_id, feeds.seq
    ), joined AS (
        INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, reason, feed_seq)
        SELECT project, environment, a.notification_id, a.user_id, 'escalation, step ' || o.taken % o.size + 1,
            r.seq - a.times + a.nth
        FROM added a JOIN raised r USING (user_id) JOIN open o USING (notification_id)
    ), before AS MATERIALIZED (
        SELECT DISTINCT ON (d.notification_id, d.channel, d.user_id, d.address_id, d.destination_id)
            d.notification_id, d.channel, d.user_id, d.address_id, d.destination_id, d.address, d.state
        FROM open o CROSS JOIN LATERAL (
            SELECT * FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = o.notification_id OFFSET 0) d
        WHERE o.again
        ORDER BY d.notification_id, d.channel, d.user_id, d.address_id, d.destination_id, d.id DESC
    ), wanted AS MATERIALIZED (
        SELECT b.notification_id, b.channel, b.user_id, b.address_id, b.destination_id,
            CASE WHEN b.user_id IS NULL THEN b.address END AS address
        FROM before b WHERE b.state NOT IN ('queued', 'leased', 'held', 'gathered', 'suppressed', 'dropped', 'cancelled')
        UNION ALL
        SELECT m.notification_id, c.channel, m.user_id, v.id, NULL, NULL
        FROM meant m JOIN open o USING (notification_id)
        CROSS JOIN LATERAL pg_catalog.json_to_recordset(o.personal) AS c (channel text, kinds text[])
        LEFT JOIN LATERAL tocsin.devices_of(project, environment, c.kinds, ARRAY[m.user_id]) AS v ON c.kinds IS NOT NULL
        WHERE NOT EXISTS (SELECT FROM before b
            WHERE (b.notification_id, b.channel, b.user_id) = (m.notification_id, c.channel, m.user_id))
    ), made AS (
        INSERT INTO tocsin.deliveries (project_id, env, id, notification_id, channel, user_id, address_id,
            destination_id, address, rank, round, state, sent_at, finished_at)
        SELECT project, environment, tocsin.new_id(), w.notification_id, w.channel, w.user_id, w.address_id,
            w.destination_id, w.address, o.rank, o.round,
            CASE WHEN w.channel = ANY (o.instant) THEN 'sent' ELSE 'queued' END,
            CASE WHEN w.channel = ANY (o.instant) THEN now() END, CASE WHEN w.channel = ANY (o.instant) THEN now() END
        FROM wanted w JOIN open o USING (notification_id)
        RETURNING id, notification_id, state
    )
    SELECT (SELECT pg_catalog.array_agg(o.notification_id) FROM open o),
        (SELECT pg_catalog.array_agg(m.id) FROM made m WHERE m.state = 'sent')
    INTO acted, ended;
    IF ended IS NOT NULL AND tocsin.deliveries_are_heard(project) THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, ended);
    END IF;
    RETURN coalesce(acted, ARRAY[]::uuid[]);
END $$;
REVOKE ALL ON FUNCTION tocsin.insist FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.insist TO {app};
"""

# The longest due first. Those of a project that is halted are looked at again a minute later, and keep their times.
DUE = """
CREATE FUNCTION tocsin.due_insistences(most integer) RETURNS TABLE (project_id uuid, env text, ids uuid[])
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS MATERIALIZED (
        SELECT i.project_id, i.env, i.notification_id,
            EXISTS (SELECT FROM tocsin.projects p
                WHERE p.id = i.project_id AND p.status IN ('suspended', 'cancelled')) AS halted
        FROM tocsin.insistences i WHERE i.due_at <= pg_catalog.now() ORDER BY i.due_at LIMIT most
    ), later AS (
        UPDATE tocsin.insistences i SET due_at = pg_catalog.now() + interval '1 minute'
        FROM due d WHERE d.halted AND i.project_id = d.project_id AND i.notification_id = d.notification_id
    )
    SELECT d.project_id, d.env, pg_catalog.array_agg(d.notification_id)
    FROM due d WHERE NOT d.halted GROUP BY d.project_id, d.env
$$;
CREATE FUNCTION tocsin.insists_in() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT extract(epoch FROM min(i.due_at) - pg_catalog.now()) FROM tocsin.insistences i
$$;
REVOKE ALL ON FUNCTION tocsin.due_insistences, tocsin.insists_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.due_insistences, tocsin.insists_in TO {app};
"""

# What is being asked for over a connection that may not be used any more: an asking takes up to half a minute.
IN_VAIN = """
CREATE FUNCTION tocsin.polls_in_vain() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT h.connection_id FROM tocsin.hooks h
    JOIN tocsin.connections c ON c.project_id = h.project_id AND c.id = h.connection_id
    WHERE h.polled AND h.poll_token IS NOT NULL AND h.poll_until > pg_catalog.now()
        AND c.status NOT IN ('active', 'rate_limited')
$$;
REVOKE ALL ON FUNCTION tocsin.polls_in_vain FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.polls_in_vain TO {app};
"""

WAITING = """
CREATE OR REPLACE FUNCTION tocsin.more_waiting_stages() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT ARRAY(SELECT s.name FROM (VALUES
        ('webhooks', EXISTS (SELECT FROM tocsin.webhook_messages m WHERE m.state = 'queued' AND m.ready)
            OR EXISTS (SELECT FROM tocsin.webhook_messages m
                WHERE m.state = 'queued' AND NOT m.ready AND m.due_at <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.webhook_messages m
                WHERE m.state = 'leased' AND m.lease_until < pg_catalog.now())),
        ('endpoints', EXISTS (SELECT FROM tocsin.webhook_chores(1))),
        ('inbound', EXISTS (SELECT FROM tocsin.inbound_raw r WHERE r.state = 'received' AND r.due_at <= pg_catalog.now())),
        ('poll', EXISTS (SELECT FROM tocsin.hooks h WHERE h.polled AND h.poll_until < pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.polls_in_vain())),
        ('outages', EXISTS (SELECT FROM tocsin.connections c
                WHERE c.status = 'rate_limited' AND c.paused_until <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.connections c WHERE c.status = 'error' AND NOT c.outage_told)
            OR EXISTS (SELECT FROM tocsin.connections c WHERE c.outage_told AND c.status <> 'error')),
        -- Soon enough for the stage to be there in time.
        ('insist', EXISTS (SELECT FROM tocsin.insistences i WHERE i.due_at <= pg_catalog.now() + interval '1 second'))
    ) AS s (name, waits) WHERE s.waits)
$$;
"""
