"""Channels in order (R2): a person's next one only if the earlier failed, or was not seen in time. Digests (R4)."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0039"
down_revision = "0038"

TABLES: dict[str, Kind] = {"channel_turns": "traffic", "digests": "traffic", "digest_items": "traffic"}


def upgrade() -> None:
    as_owner(TURNS)
    as_owner(DIGESTS)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
    for table in ("channel_turns", "digests"):
        as_owner(for_pipeline(table))
    as_owner(PIPELINE_GRANTS)
    as_owner(MATCHING)
    as_owner(WRITING)
    as_owner(INSIST)
    as_owner(PASSING)
    as_owner(RECORDING)
    as_owner(TAKING)
    as_owner(WITHHOLDING)
    as_owner(GATHERING)
    as_owner(READING)
    as_owner(TELLING)
    as_owner(MONTHS)
    as_pipeline(DUE)
    as_pipeline(DUE_DIGESTS)
    as_pipeline(WAITING)


# One row for each recipient for whom further channels are left, so the clock's cost follows what is due. ``personal`` has
# the channels that reach people, in their order, ``turn`` is the place in it of the one that was told last.
TURNS = """
ALTER TABLE tocsin.rules ADD COLUMN channel_order json;
ALTER TABLE tocsin.insistences ADD COLUMN after_seconds integer;
ALTER TABLE tocsin.notification_recipients ADD COLUMN turns_ended text;
CREATE TABLE tocsin.channel_turns (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    notification_id uuid NOT NULL,
    user_id uuid NOT NULL,
    rank smallint NOT NULL,
    personal json NOT NULL,
    after_seconds integer NOT NULL,
    turn smallint NOT NULL DEFAULT 0,
    round smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, notification_id, user_id)
);
CREATE INDEX channel_turns_due ON tocsin.channel_turns (due_at);
"""

# A window that is open: what one rule tells one person while it is, goes out in one notification at ``due_at``. ``items``
# counts what came in, ``told`` how many of these are in a digest that was written already.
DIGESTS = """
ALTER TABLE tocsin.deliveries ADD COLUMN gathered_into uuid;
ALTER TABLE tocsin.notifications ADD COLUMN gathers integer;
CREATE TABLE tocsin.digests (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    id uuid NOT NULL,
    rule_id uuid,
    user_id uuid NOT NULL,
    rule_name text NOT NULL,
    rule_version integer NOT NULL,
    channels text[] NOT NULL,
    after_seconds integer,
    priority text NOT NULL,
    sound text,
    topic text,
    window_seconds integer NOT NULL,
    most_items integer NOT NULL,
    first_at_once boolean NOT NULL,
    items integer NOT NULL,
    told integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, env, rule_id, user_id),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE SET NULL (rule_id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX digests_due ON tocsin.digests (due_at);
CREATE INDEX digests_user ON tocsin.digests (project_id, user_id);
CREATE INDEX digests_rule ON tocsin.digests (project_id, rule_id);
CREATE TABLE tocsin.digest_items (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    digest_id uuid NOT NULL,
    number integer NOT NULL,
    notification_id uuid NOT NULL,
    PRIMARY KEY (project_id, digest_id, number),
    FOREIGN KEY (project_id, digest_id) REFERENCES tocsin.digests (project_id, id) ON DELETE CASCADE
);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, env, id, due_at), UPDATE (due_at) ON tocsin.digests TO {pipeline};
GRANT SELECT (project_id, env, notification_id, user_id, due_at), UPDATE (due_at) ON tocsin.channel_turns TO {pipeline};
"""

# As before, and with the order of a rule's channels and its digest.
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
        ), preset AS MATERIALIZED (
            SELECT d.topics, d.priorities FROM tocsin.sound_defaults d WHERE d.project_id = project
            ORDER BY d.env DESC LIMIT 1
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
                    'translations', r.translations,
                    'template', CASE WHEN r.template IS NOT NULL THEN (
                        SELECT pg_catalog.json_object_agg(
                            t.language || CASE WHEN t.channel = '' THEN '' ELSE '@' || t.channel END,
                            pg_catalog.json_build_object('title', t.subject, 'message', t.body))
                        FROM (SELECT DISTINCT ON (t.channel, t.language) t.* FROM tocsin.templates t
                            WHERE t.project_id = project AND t.kind = 'notification' AND t.name = r.template
                            ORDER BY t.channel, t.language, t.env DESC) t) END,
                    'channels', r.channels, 'sound', h.sound, 'priority', r.priority,
                    'require_ack', r.require_ack, 'topic', r.topic,
                    'target_payload_user', r.target_payload_user,
                    'target_destinations', r.target_destinations,
                    'sound_digest', CASE WHEN h.sound IS NOT NULL THEN (
                        SELECT s.digest FROM tocsin.sounds s WHERE s.project_id = project AND s.name = h.sound
                        ORDER BY s.env DESC LIMIT 1) END,
                    'target_roles', ARRAY(SELECT t.role_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.role_id IS NOT NULL AND t.step IS NULL
                        ORDER BY t.position),
                    'target_users', ARRAY(SELECT t.user_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.user_id IS NOT NULL AND t.step IS NULL
                        ORDER BY t.position),
                    'repeat', r.repeat, 'escalation_loops', r.escalation_loops,
                    'channel_order', r.channel_order, 'digest', r.digest,
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
                LEFT JOIN preset p ON true
                CROSS JOIN LATERAL (
                    SELECT coalesce(r.sound, p.topics->>r.topic, p.priorities->>r.priority) AS sound OFFSET 0) h
                WHERE r.active), '[]'),
            'warning_types', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'name', t.name, 'schema', t.schema, 'weight', t.weight))
                FROM (SELECT DISTINCT c.type FROM claimed c) c CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.event_types t
                    WHERE t.project_id = project AND t.name = c.type ORDER BY t.env DESC LIMIT 1) t
                WHERE t.mode = 'warn'), '[]'),
            'subjects', tocsin.subjects(project, ARRAY(
                SELECT DISTINCT c.subject FROM claimed c WHERE c.subject IS NOT NULL)))
    );
END $$;
"""

# As before, with a row for each recipient whose channels have turns, and with what is gathered. Times count from the commit.
WRITING = """
CREATE OR REPLACE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id,
        rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota, sound_digest,
        translations, gathers)
    SELECT project, environment, n.* FROM pg_catalog.json_to_recordset(made) AS n (id uuid, event_id uuid, event_type text,
        client_event_id text, rule_id uuid, rule_version integer, title text, message text, action json, sound text,
        priority text, require_ack boolean, topic text, internal boolean, over_quota boolean,
        sound_digest text, translations json, gathers integer);
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
    INSERT INTO tocsin.insistences (project_id, env, notification_id, rank, personal, instant, after_seconds, every_seconds,
        most_times, repeats_at, steps, loops, escalates_at, due_at)
    SELECT project, environment, i.*, least(i.repeats_at, i.escalates_at) FROM (
        SELECT n.id, n.rank, n.insist->'personal',
            ARRAY(SELECT pg_catalog.json_array_elements_text(n.insist->'instant')),
            (n.in_order->>'after_seconds')::integer,
            (n.insist->>'every_seconds')::integer, (n.insist->>'most_times')::integer,
            now() + pg_catalog.make_interval(secs => (n.insist->>'every_seconds')::integer) AS repeats_at,
            coalesce(n.insist->'steps', '[]'), (n.insist->>'loops')::smallint,
            now() + pg_catalog.make_interval(secs => (n.insist->'steps'->0->>'after_seconds')::integer) AS escalates_at
        FROM pg_catalog.json_to_recordset(made) AS n (id uuid, rank smallint, dropped text, insist json, in_order json)
        WHERE pg_catalog.json_typeof(n.insist) = 'object' AND n.dropped IS NULL) i;
    -- Looked for as text, so that nobody else pays for taking everything apart once more.
    IF pg_catalog.strpos(made::text, '"in_order":{{') > 0 THEN
        INSERT INTO tocsin.channel_turns
            (project_id, env, notification_id, user_id, rank, personal, after_seconds, due_at)
        SELECT project, environment, n.id, p.person::uuid, n.rank, n.in_order->'personal',
            (n.in_order->>'after_seconds')::integer,
            now() + pg_catalog.make_interval(secs => (n.in_order->>'after_seconds')::integer)
        FROM pg_catalog.json_to_recordset(made)
            AS n (id uuid, rank smallint, dropped text, recipients json, in_order json)
        CROSS JOIN LATERAL pg_catalog.json_object_keys(n.recipients) AS p (person)
        WHERE pg_catalog.json_typeof(n.in_order) = 'object' AND n.dropped IS NULL;
    END IF;
    IF pg_catalog.strpos(made::text, '"digest":{{') > 0 THEN
        PERFORM tocsin.gather(project, environment, made);
    END IF;
END $$;
"""

# As before, but that where channels have turns a step begins with the first one. Who has turns already goes on with them.
INSIST = """
CREATE OR REPLACE FUNCTION tocsin.insist(project uuid, environment text, ids uuid[]) RETURNS uuid[]
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
        CROSS JOIN LATERAL ROWS FROM (pg_catalog.json_to_recordset(o.personal) AS (channel text, kinds text[]))
            WITH ORDINALITY AS c (channel, kinds, nth)
        LEFT JOIN LATERAL tocsin.devices_of(project, environment, c.kinds, ARRAY[m.user_id]) AS v ON c.kinds IS NOT NULL
        WHERE (o.after_seconds IS NULL OR c.nth = 1) AND NOT EXISTS (SELECT FROM before b
            WHERE (b.notification_id, b.channel, b.user_id) = (m.notification_id, c.channel, m.user_id))
    ), turning AS (
        INSERT INTO tocsin.channel_turns
            (project_id, env, notification_id, user_id, rank, personal, after_seconds, round, due_at)
        SELECT project, environment, m.notification_id, m.user_id, o.rank, o.personal, o.after_seconds, o.round,
            now() + pg_catalog.make_interval(secs => o.after_seconds)
        FROM meant m JOIN open o USING (notification_id) WHERE o.after_seconds IS NOT NULL
        ON CONFLICT DO NOTHING
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
"""

# The next turn is due now where nothing came of the last one. Where a channel tells several devices, every one of them must
# have been in vain; rows are held first, so that of two which fail at the same moment the later sees the other.
PASSING = """
CREATE FUNCTION tocsin.pass_turns(project uuid, in_vain uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    people uuid[];
    notifications uuid[];
BEGIN
    SELECT pg_catalog.array_agg(h.notification_id), pg_catalog.array_agg(h.user_id) INTO notifications, people FROM (
        SELECT t.notification_id, t.user_id
        FROM (SELECT DISTINCT d.notification_id, d.user_id FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.id = ANY (in_vain) AND d.user_id IS NOT NULL) d
        JOIN tocsin.channel_turns t
            ON t.project_id = project AND t.notification_id = d.notification_id AND t.user_id = d.user_id
        ORDER BY t.notification_id, t.user_id FOR UPDATE OF t) h;
    IF notifications IS NULL THEN
        RETURN;
    END IF;
    UPDATE tocsin.channel_turns t SET due_at = now()
    FROM unnest(notifications, people) AS w (notification_id, user_id)
    WHERE t.project_id = project AND t.notification_id = w.notification_id AND t.user_id = w.user_id
        AND t.due_at > now()
        AND EXISTS (SELECT FROM tocsin.deliveries d WHERE d.project_id = project AND d.id = ANY (in_vain)
            AND d.notification_id = t.notification_id AND d.user_id = t.user_id
            AND d.channel = t.personal->t.turn->>'channel')
        AND (t.personal->t.turn->>'kinds' IS NULL OR NOT EXISTS (SELECT FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = t.notification_id AND d.user_id = t.user_id
                AND d.channel = t.personal->t.turn->>'channel'
                AND d.state NOT IN ('failed', 'suppressed', 'dropped', 'cancelled')));
END $$;
REVOKE ALL ON FUNCTION tocsin.pass_turns FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.pass_turns TO {app};
"""

# As before, and what came to nothing passes the turn on to the person's next channel.
RECORDING = """
CREATE OR REPLACE FUNCTION tocsin.record_results(project uuid, environment text, token uuid, results json, untouched uuid[])
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    in_vain uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH told AS MATERIALIZED (
        SELECT * FROM pg_catalog.json_to_recordset(results) AS r (delivery_id uuid, number integer, state text,
            outcome text, rank smallint, due_at timestamptz, error text, status integer, answer text,
            provider_message_id text, address text, connection_project uuid, connection_id uuid,
            connection_reason text, captured json, started_at timestamptz, duration_ms integer)
    ), ours AS (
        UPDATE tocsin.deliveries d SET
            state = r.state, ready = false, rank = r.rank, due_at = coalesce(r.due_at, d.due_at), crashes = 0,
            attempts = CASE WHEN r.outcome IS NOT NULL THEN r.number ELSE d.attempts END,
            lease_token = NULL, lease_until = NULL, last_error = r.error, address = coalesce(r.address, d.address),
            provider_message_id = coalesce(r.provider_message_id, d.provider_message_id),
            connection_project = r.connection_project, connection_id = r.connection_id,
            connection_reason = coalesce(r.connection_reason, d.connection_reason), captured = r.captured,
            sent_at = CASE WHEN r.state IN ('sent', 'delivered')
                THEN coalesce(d.sent_at, pg_catalog.clock_timestamp()) ELSE d.sent_at END,
            delivered_at = CASE WHEN r.state = 'delivered' THEN pg_catalog.clock_timestamp() ELSE d.delivered_at END,
            finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE pg_catalog.clock_timestamp() END
        FROM told r WHERE d.project_id = project AND d.id = r.delivery_id AND d.lease_token = token
        RETURNING d.id, d.state
    ), kept AS (
        INSERT INTO tocsin.attempts (project_id, env, delivery_id, number, connection_id, outcome, status, answer, error,
            started_at, duration_ms, next_due_at)
        SELECT project, environment, r.delivery_id, r.number, r.connection_id, r.outcome, r.status, r.answer, r.error,
            r.started_at, r.duration_ms, r.due_at
        FROM told r WHERE r.outcome IS NOT NULL AND r.delivery_id IN (SELECT id FROM ours)
        ON CONFLICT DO NOTHING
    )
    SELECT pg_catalog.array_agg(o.id) INTO in_vain FROM ours o WHERE o.state IN ('failed', 'suppressed', 'dropped');
    IF in_vain IS NOT NULL THEN
        PERFORM tocsin.pass_turns(project, in_vain);
    END IF;
    IF pg_catalog.cardinality(untouched) > 0 THEN
        UPDATE tocsin.deliveries d
        SET state = 'queued', ready = true, crashes = d.crashes - 1, lease_token = NULL, lease_until = NULL
        WHERE d.project_id = project AND d.id = ANY (untouched) AND d.lease_token = token;
    END IF;
END $$;
"""

# What is due of one project, each person's turn in one hand, all in one transaction: whoever ends in the middle has done
# nothing. Whoever has seen it, or is not there any more, is left alone, and why is kept. What is held back has not had its
# turn yet. Deliveries of a notification are read once for all of its people.
TAKING = """
CREATE FUNCTION tocsin.take_channel_turns(project uuid, environment text, notifications uuid[], people uuid[])
    RETURNS uuid[] LANGUAGE plpgsql SET enable_nestloop = on AS $$
DECLARE
    told uuid[];
    written uuid[];
    ended uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH due AS MATERIALIZED (
        SELECT t.* FROM tocsin.channel_turns t
        JOIN unnest(notifications, people) AS w (notification_id, user_id) USING (notification_id, user_id)
        WHERE t.project_id = project AND t.due_at <= now()
        ORDER BY t.notification_id, t.user_id FOR UPDATE OF t SKIP LOCKED
    ), sent AS MATERIALIZED (
        SELECT d.notification_id, d.user_id, d.channel, min(coalesce(d.sent_at, d.finished_at))
                FILTER (WHERE d.state IN ('sent', 'delivered', 'read', 'captured')) AS sent_at, min(d.read_at) AS read_at,
            max(d.due_at) FILTER (WHERE d.state = 'held') AS held_until
        FROM (SELECT DISTINCT u.notification_id FROM due u) w CROSS JOIN LATERAL (
            SELECT * FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = w.notification_id OFFSET 0) d
        WHERE d.user_id = ANY (people)
        GROUP BY d.notification_id, d.user_id, d.channel
    ), known AS MATERIALIZED (
        SELECT u.*, u.personal->u.turn->>'channel' AS channel, n.acked_at, a.status,
            least(r.seen_at, r.read_at, r.acked_at,
                (SELECT min(s.read_at) FROM sent s WHERE (s.notification_id, s.user_id) = (u.notification_id, u.user_id)))
                AS seen_at
        FROM due u
        LEFT JOIN LATERAL (SELECT * FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = u.notification_id OFFSET 0) n ON true
        LEFT JOIN LATERAL (SELECT * FROM tocsin.notification_recipients r
            WHERE r.project_id = project AND r.notification_id = u.notification_id AND r.user_id = u.user_id OFFSET 0) r
            ON true
        LEFT JOIN LATERAL (SELECT * FROM tocsin.users a WHERE a.project_id = project AND a.id = u.user_id OFFSET 0) a
            ON true
    ), judged AS MATERIALIZED (
        SELECT k.*, s.held_until, CASE
            WHEN k.seen_at IS NOT NULL AND k.seen_at >= s.sent_at THEN
                'seen ' || round(extract(epoch FROM k.seen_at - s.sent_at)) || ' s after it was sent by ' || k.channel
            WHEN k.seen_at IS NOT NULL THEN 'seen'
            WHEN k.acked_at IS NOT NULL THEN 'acknowledged'
            WHEN k.status IS DISTINCT FROM 'active' THEN 'the person is not active' END AS reason
        FROM known k LEFT JOIN sent s
            ON (s.notification_id, s.user_id, s.channel) = (k.notification_id, k.user_id, k.channel)
    ), next AS MATERIALIZED (
        SELECT j.*, c.channel AS following, c.kinds, c.instant, j.turn + 2 >= pg_catalog.json_array_length(j.personal) AS last
        FROM judged j
        CROSS JOIN LATERAL pg_catalog.json_to_record(j.personal->(j.turn + 1))
            AS c (channel text, kinds text[], instant boolean)
        WHERE j.reason IS NULL AND (j.held_until IS NULL OR j.held_until <= now())
    ), moved AS (
        UPDATE tocsin.channel_turns t SET turn = n.turn + 1, round = n.round + 1,
            due_at = now() + pg_catalog.make_interval(secs => n.after_seconds)
        FROM next n WHERE NOT n.last
            AND t.project_id = project AND t.notification_id = n.notification_id AND t.user_id = n.user_id
    ), waiting AS (
        UPDATE tocsin.channel_turns t
        SET due_at = j.held_until + pg_catalog.make_interval(secs => j.after_seconds)
        FROM judged j WHERE j.reason IS NULL AND j.held_until > now()
            AND t.project_id = project AND t.notification_id = j.notification_id AND t.user_id = j.user_id
    ), over AS (
        DELETE FROM tocsin.channel_turns t USING (
            SELECT j.notification_id, j.user_id FROM judged j WHERE j.reason IS NOT NULL
            UNION ALL SELECT n.notification_id, n.user_id FROM next n WHERE n.last) w
        WHERE t.project_id = project AND t.notification_id = w.notification_id AND t.user_id = w.user_id
    ), noted AS (
        UPDATE tocsin.notification_recipients r SET turns_ended = j.reason
        FROM judged j WHERE j.reason IS NOT NULL
            AND r.project_id = project AND r.notification_id = j.notification_id AND r.user_id = j.user_id
    ), made AS (
        INSERT INTO tocsin.deliveries (project_id, env, id, notification_id, channel, user_id, address_id, rank, round,
            state, sent_at, finished_at)
        SELECT project, environment, tocsin.new_id(), n.notification_id, n.following, n.user_id, v.id, n.rank, n.round + 1,
            CASE WHEN n.instant THEN 'sent' ELSE 'queued' END,
            CASE WHEN n.instant THEN now() END, CASE WHEN n.instant THEN now() END
        FROM next n
        LEFT JOIN LATERAL tocsin.devices_of(project, environment, n.kinds, ARRAY[n.user_id]) AS v
            ON n.kinds IS NOT NULL
        RETURNING id, notification_id, state
    )
    SELECT (SELECT pg_catalog.array_agg(m.notification_id) FROM made m), (SELECT pg_catalog.array_agg(m.id) FROM made m),
        (SELECT pg_catalog.array_agg(m.id) FROM made m WHERE m.state = 'sent')
    INTO told, written, ended;
    IF written IS NOT NULL AND tocsin.may_withhold(project) THEN
        PERFORM tocsin.withhold_and_tell(project, environment, written);
    END IF;
    IF ended IS NOT NULL AND tocsin.deliveries_are_heard(project) THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, ended);
    END IF;
    RETURN coalesce(told, ARRAY[]::uuid[]);
END $$;
REVOKE ALL ON FUNCTION tocsin.take_channel_turns FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.take_channel_turns TO {app};
"""

# As before, and whoever wants nothing by one channel is told by the next.
WITHHOLDING = """
CREATE OR REPLACE FUNCTION tocsin.withhold(project uuid, environment text, ids uuid[], fresh boolean) RETURNS uuid[]
    LANGUAGE plpgsql SET enable_nestloop = on AS $$
DECLARE
    dropped uuid[];
BEGIN
    WITH judged AS MATERIALIZED (
        SELECT * FROM tocsin.judge_deliveries(project, environment, ids, fresh)
    ), free AS MATERIALIZED (
        SELECT r.notification_id, r.user_id, coalesce(j.until, 'infinity') AS until
        FROM judged j JOIN tocsin.notification_recipients r
            ON r.project_id = project AND r.notification_id = j.notification_id AND r.user_id = j.user_id
        WHERE j.id IS NULL FOR NO KEY UPDATE OF r SKIP LOCKED
    ), silenced AS (
        UPDATE tocsin.notification_recipients r SET silent_until = f.until FROM free f
        WHERE r.project_id = project AND r.notification_id = f.notification_id AND r.user_id = f.user_id
    ), quietly AS (
        UPDATE tocsin.deliveries d SET last_error = 'silently: ' || j.reason FROM judged j
        WHERE d.project_id = project AND d.id = j.live
    ), withheld AS (
        UPDATE tocsin.deliveries d SET state = CASE WHEN j.until IS NULL THEN 'dropped' ELSE 'held' END, ready = false,
            due_at = coalesce(j.until, d.due_at), last_error = j.reason,
            finished_at = CASE WHEN j.until IS NULL THEN now() END
        FROM judged j WHERE d.project_id = project AND d.id = j.id
        RETURNING d.id, d.state
    )
    SELECT pg_catalog.array_agg(w.id) INTO dropped FROM withheld w WHERE w.state = 'dropped';
    IF dropped IS NOT NULL THEN
        PERFORM tocsin.pass_turns(project, dropped);
    END IF;
    RETURN dropped;
END $$;
"""

# What was just written of rules with a digest waits for the end of the window of its rule and person, which the first one
# opens. Windows are taken in one order everywhere, so that two batches never wait for each other crosswise. Where the first
# is told at once, it is number 0 and gathered by nobody. A window that is full is due.
GATHERING = """
CREATE FUNCTION tocsin.gather(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql SET enable_nestloop = on AS $$
BEGIN
    WITH asked AS MATERIALIZED (
        SELECT n.* FROM pg_catalog.json_to_recordset(made)
            AS n (id uuid, rule_id uuid, rule_version integer, priority text, topic text, digest json)
        WHERE pg_catalog.json_typeof(n.digest) = 'object'
    ), waiting AS MATERIALIZED (
        SELECT DISTINCT a.rule_id, d.user_id, a.id FROM asked a CROSS JOIN LATERAL (
            SELECT * FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = a.id AND d.user_id IS NOT NULL
                AND d.state IN ('queued', 'held') OFFSET 0) d
    ), counted AS MATERIALIZED (
        SELECT w.rule_id, w.user_id, count(*)::integer AS items, tocsin.new_id() AS id
        FROM waiting w GROUP BY w.rule_id, w.user_id ORDER BY w.rule_id, w.user_id
    ), rule AS MATERIALIZED (
        SELECT DISTINCT ON (a.rule_id) a.*, g.* FROM asked a
        CROSS JOIN LATERAL pg_catalog.json_to_record(a.digest) AS g (rule_name text, channels json, after_seconds integer,
            sound text, window_seconds integer, most_items integer, first_at_once boolean, full_at integer)
        ORDER BY a.rule_id, a.rule_version DESC
    ), opened AS (
        INSERT INTO tocsin.digests AS g (project_id, env, id, rule_id, user_id, rule_name, rule_version, channels,
            after_seconds, priority, sound, topic, window_seconds, most_items, first_at_once, items, due_at)
        SELECT project, environment, c.id, c.rule_id, c.user_id, r.rule_name, r.rule_version,
            ARRAY(SELECT pg_catalog.json_array_elements_text(r.channels)), r.after_seconds, r.priority, r.sound, r.topic,
            r.window_seconds, r.most_items, r.first_at_once, c.items - r.first_at_once::integer,
            now() + pg_catalog.make_interval(secs => r.window_seconds)
        FROM counted c JOIN rule r USING (rule_id) ORDER BY c.rule_id, c.user_id
        ON CONFLICT (project_id, env, rule_id, user_id) DO UPDATE SET
            items = g.items + excluded.items + excluded.first_at_once::integer,
            due_at = CASE WHEN g.items + excluded.items - g.told < (SELECT min(r.full_at) FROM rule r) THEN g.due_at
                ELSE least(g.due_at, now()) END
        RETURNING g.id, g.rule_id, g.user_id, g.items, g.due_at
    ), numbered AS MATERIALIZED (
        SELECT w.id AS notification_id, w.user_id, o.id AS digest_id, o.due_at,
            o.items - c.items + row_number() OVER (PARTITION BY w.rule_id, w.user_id ORDER BY w.id) AS number
        FROM waiting w JOIN counted c USING (rule_id, user_id) JOIN opened o USING (rule_id, user_id)
    ), kept AS (
        INSERT INTO tocsin.digest_items (project_id, env, digest_id, number, notification_id)
        SELECT project, environment, n.digest_id, n.number, n.notification_id FROM numbered n WHERE n.number > 0
    )
    UPDATE tocsin.deliveries d SET state = 'gathered', ready = false, due_at = n.due_at,
        last_error = 'in the digest of ' || pg_catalog.to_char(n.due_at AT TIME ZONE 'UTC', 'HH24:MI') || ' UTC'
    FROM numbered n
    WHERE n.number > 0 AND d.project_id = project AND d.notification_id = n.notification_id AND d.user_id = n.user_id
        AND d.state IN ('queued', 'held');
END $$;
REVOKE ALL ON FUNCTION tocsin.gather FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.gather TO {app};
"""

# What the words of digests are made of. Nothing is held meanwhile: what is told is judged again when it is written. What
# somebody has acknowledged is left out. One alone is given whole, of several as much as a list has room for.
READING = """
CREATE FUNCTION tocsin.read_digests(project uuid, environment text, ids uuid[]) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN pg_catalog.json_build_object(
        'project', (SELECT pg_catalog.json_build_object('id', p.id, 'name', p.name, 'slug', p.slug)
            FROM tocsin.projects p WHERE p.id = project),
        'windows', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                'id', g.id, 'rule_id', r.id, 'rule_name', g.rule_name, 'rule_version', g.rule_version,
                'channels', g.channels, 'after_seconds', g.after_seconds, 'priority', g.priority, 'sound', g.sound,
                'sound_digest', (SELECT d.digest FROM tocsin.sounds d
                    WHERE d.project_id = project AND d.name = g.sound ORDER BY d.env DESC LIMIT 1),
                'topic', g.topic, 'told', g.told, 'upto', g.items, 'due_at', g.due_at,
                'title', r.digest->>'title', 'message', r.digest->>'message',
                'user', (SELECT pg_catalog.json_build_object('id', u.id, 'externalUserId', u.external_user_id,
                        'email', u.email, 'name', u.name, 'phone', u.phone, 'status', u.status, 'locale', u.locale,
                        'timezone', u.timezone, 'metadata', u.metadata)
                    FROM tocsin.users u WHERE u.project_id = project AND u.id = g.user_id),
                'count', i.count, 'items', coalesce(i.listed, '[]')))
            FROM tocsin.digests g
            LEFT JOIN tocsin.rules r ON r.project_id = project AND r.id = g.rule_id
            CROSS JOIN LATERAL (
                SELECT count(*) AS count, pg_catalog.json_agg(pg_catalog.json_build_object(
                        'id', o.id, 'title', CASE WHEN o.total = 1 THEN o.title ELSE pg_catalog.left(o.title, 300) END,
                        'message', CASE WHEN o.total = 1 THEN o.message ELSE pg_catalog.left(o.message, 500) END,
                        'action', CASE WHEN o.total = 1 THEN o.action END, 'eventType', o.event_type,
                        'createdAt', tocsin.as_told(o.created_at)) ORDER BY o.number)
                    FILTER (WHERE o.nth <= g.most_items) AS listed
                FROM (
                    SELECT n.*, l.number, row_number() OVER (ORDER BY l.number) AS nth, count(*) OVER () AS total
                    FROM tocsin.digest_items l CROSS JOIN LATERAL (
                        SELECT * FROM tocsin.notifications n
                        WHERE n.project_id = project AND n.id = l.notification_id AND n.acked_at IS NULL OFFSET 0) n
                    WHERE l.project_id = project AND l.digest_id = g.id AND l.number > g.told AND l.number <= g.items
                ) o) i
            WHERE g.project_id = project AND g.id = ANY (ids) AND g.due_at <= now()), '[]'));
END $$;
REVOKE ALL ON FUNCTION tocsin.read_digests FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.read_digests TO {app};
"""

# Digests that are still due as they were read, each in one hand, all in one transaction: whoever ends in the middle has
# done nothing. What came in since is for the next window. A window of which everything was acknowledged closes silently.
# Rules and feeds are held before windows, as whoever writes notifications does.
TELLING = """
CREATE FUNCTION tocsin.write_digests(project uuid, environment text, windows json, made json) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[];
    kept json;
    told uuid[];
    ended uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    PERFORM FROM tocsin.rules r WHERE r.project_id = project AND r.id = ANY (ARRAY(
        SELECT g.rule_id FROM pg_catalog.json_to_recordset(windows) AS w (id uuid)
        JOIN tocsin.digests g ON g.project_id = project AND g.id = w.id)) ORDER BY r.id FOR KEY SHARE;
    PERFORM FROM tocsin.feeds f WHERE f.project_id = project AND f.env = environment AND f.user_id = ANY (ARRAY(
        SELECT g.user_id FROM pg_catalog.json_to_recordset(windows) AS w (id uuid)
        JOIN tocsin.digests g ON g.project_id = project AND g.id = w.id)) ORDER BY f.user_id FOR UPDATE;
    ours := ARRAY(SELECT g.id FROM pg_catalog.json_to_recordset(windows) AS w (id uuid, told integer)
        JOIN tocsin.digests g ON g.project_id = project AND g.id = w.id AND g.told = w.told AND g.due_at <= now()
        ORDER BY g.rule_id, g.user_id FOR UPDATE OF g SKIP LOCKED);
    told := ARRAY(SELECT w.notification_id FROM pg_catalog.json_to_recordset(windows) AS w (id uuid, notification_id uuid)
        WHERE w.id = ANY (ours) AND w.notification_id IS NOT NULL);
    IF pg_catalog.cardinality(told) > 0 THEN
        SELECT pg_catalog.json_agg(n) INTO kept
        FROM pg_catalog.json_array_elements(made) AS n WHERE (n->>'id')::uuid = ANY (told);
        PERFORM tocsin.write_notifications(project, environment, kept);
    END IF;
    UPDATE tocsin.deliveries d SET gathered_into = w.notification_id, finished_at = now()
    FROM pg_catalog.json_to_recordset(windows) AS w (id uuid, upto integer, notification_id uuid)
    JOIN tocsin.digests g ON g.project_id = project AND g.id = w.id
    JOIN tocsin.digest_items i ON i.project_id = project AND i.digest_id = g.id AND i.number <= w.upto
    WHERE w.id = ANY (ours) AND d.project_id = project AND d.notification_id = i.notification_id
        AND d.user_id = g.user_id AND d.state = 'gathered' AND d.finished_at IS NULL;
    DELETE FROM tocsin.digests g
    USING pg_catalog.json_to_recordset(windows) AS w (id uuid, upto integer)
    WHERE g.project_id = project AND g.id = w.id AND g.id = ANY (ours) AND g.items = w.upto;
    DELETE FROM tocsin.digest_items i
    USING pg_catalog.json_to_recordset(windows) AS w (id uuid, upto integer)
    WHERE i.project_id = project AND i.digest_id = w.id AND w.id = ANY (ours) AND i.number <= w.upto;
    UPDATE tocsin.digests g
    SET told = w.upto, due_at = now() + pg_catalog.make_interval(secs => g.window_seconds)
    FROM pg_catalog.json_to_recordset(windows) AS w (id uuid, upto integer)
    WHERE g.project_id = project AND g.id = w.id AND g.id = ANY (ours);
    IF pg_catalog.cardinality(told) > 0 AND tocsin.may_withhold(project) THEN
        PERFORM tocsin.withhold_and_tell(project, environment, ARRAY(SELECT d.id FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = ANY (told)));
    END IF;
    IF pg_catalog.cardinality(told) > 0 AND tocsin.deliveries_are_heard(project) THEN
        ended := ARRAY(SELECT d.id FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.notification_id = ANY (told) AND d.state = 'sent');
        PERFORM tocsin.tell_of_deliveries(project, environment, ended);
    END IF;
    RETURN told;
END $$;
REVOKE ALL ON FUNCTION tocsin.write_digests FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.write_digests TO {app};
"""

# As before, but that what was gathered is finished once its digest is written.
MONTHS = """
CREATE OR REPLACE FUNCTION tocsin.unfinished_between(kind text, low uuid, high uuid) RETURNS boolean
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
                WHERE d.state IN ('held', 'gathered') AND d.finished_at IS NULL AND d.id >= low AND d.id < high)
        ELSE EXISTS (SELECT FROM tocsin.notifications n
            WHERE n.require_ack AND n.acked_at IS NULL AND n.id >= low AND n.id < high)
        END
$$;
"""

DUE_DIGESTS = """
CREATE FUNCTION tocsin.due_digests(most integer) RETURNS TABLE (project_id uuid, env text, ids uuid[])
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS MATERIALIZED (
        SELECT g.project_id, g.env, g.id,
            EXISTS (SELECT FROM tocsin.projects p
                WHERE p.id = g.project_id AND p.status IN ('suspended', 'cancelled')) AS halted
        FROM tocsin.digests g WHERE g.due_at <= pg_catalog.now() ORDER BY g.due_at LIMIT most
    ), later AS (
        UPDATE tocsin.digests g SET due_at = pg_catalog.now() + interval '1 minute'
        FROM due d WHERE d.halted AND g.project_id = d.project_id AND g.id = d.id
    )
    SELECT d.project_id, d.env, pg_catalog.array_agg(d.id) FROM due d WHERE NOT d.halted GROUP BY d.project_id, d.env
$$;
CREATE FUNCTION tocsin.digests_in() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT extract(epoch FROM min(g.due_at) - pg_catalog.now()) FROM tocsin.digests g
$$;
REVOKE ALL ON FUNCTION tocsin.due_digests, tocsin.digests_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.due_digests, tocsin.digests_in TO {app};
"""

# The longest due first. Those of a project that is halted are looked at again a minute later.
DUE = """
CREATE FUNCTION tocsin.due_channel_turns(most integer)
    RETURNS TABLE (project_id uuid, env text, notifications uuid[], people uuid[])
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS MATERIALIZED (
        SELECT t.project_id, t.env, t.notification_id, t.user_id,
            EXISTS (SELECT FROM tocsin.projects p
                WHERE p.id = t.project_id AND p.status IN ('suspended', 'cancelled')) AS halted
        FROM tocsin.channel_turns t WHERE t.due_at <= pg_catalog.now() ORDER BY t.due_at LIMIT most
    ), later AS (
        UPDATE tocsin.channel_turns t SET due_at = pg_catalog.now() + interval '1 minute'
        FROM due d WHERE d.halted AND t.project_id = d.project_id AND t.notification_id = d.notification_id
            AND t.user_id = d.user_id
    )
    SELECT d.project_id, d.env, pg_catalog.array_agg(d.notification_id ORDER BY d.notification_id, d.user_id),
        pg_catalog.array_agg(d.user_id ORDER BY d.notification_id, d.user_id)
    FROM due d WHERE NOT d.halted GROUP BY d.project_id, d.env
$$;
CREATE FUNCTION tocsin.turns_in() RETURNS double precision
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT extract(epoch FROM min(t.due_at) - pg_catalog.now()) FROM tocsin.channel_turns t
$$;
REVOKE ALL ON FUNCTION tocsin.due_channel_turns, tocsin.turns_in FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.due_channel_turns, tocsin.turns_in TO {app};
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
        ('clocks', EXISTS (SELECT FROM tocsin.clocks c WHERE c.next_at <= pg_catalog.now())),
        -- Soon enough for the stage to be there in time.
        ('insist', EXISTS (SELECT FROM tocsin.insistences i WHERE i.due_at <= pg_catalog.now() + interval '1 second')),
        ('digest', EXISTS (SELECT FROM tocsin.digests g WHERE g.due_at <= pg_catalog.now() + interval '1 second')),
        ('order', EXISTS (SELECT FROM tocsin.channel_turns t WHERE t.due_at <= pg_catalog.now() + interval '1 second'))
    ) AS s (name, waits) WHERE s.waits)
$$;
"""
