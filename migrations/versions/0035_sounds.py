"""Sounds of projects, and which of them notifications are heard by."""

from tocsin.kit.migrate import as_owner
from tocsin.kit.walls import Kind, walled

revision = "0035"
down_revision = "0034"

TABLES: dict[str, Kind] = {"sounds": "config", "sound_defaults": "config"}


def upgrade() -> None:
    as_owner(SOUNDS)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
    as_owner(PERMISSIONS)
    as_owner(MATCHING)
    as_owner(WRITING)
    as_owner(READING)


# A file is compressed already, so PostgreSQL need not try. Its digest is 32 hexadecimal digits of its SHA-256.
SOUNDS = """
CREATE TABLE tocsin.sounds (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    content_type text NOT NULL,
    duration_ms integer NOT NULL,
    bytes integer NOT NULL,
    digest text NOT NULL,
    data bytea NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT sounds_name_taken UNIQUE (project_id, name, env)
);
ALTER TABLE tocsin.sounds ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX sounds_by_digest ON tocsin.sounds (project_id, digest);
CREATE TABLE tocsin.sound_defaults (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    topics json NOT NULL,
    priorities json NOT NULL,
    PRIMARY KEY (project_id, env)
);
ALTER TABLE tocsin.notifications ADD COLUMN sound_digest text;
"""

# Built-in roles hold what their names say, also in projects that are there. Keys keep what they were given.
PERMISSIONS = """
UPDATE tocsin.roles SET permissions = permissions || ARRAY['sounds:manage', 'sounds:read']
WHERE built_in AND name IN ('owner', 'admin') AND project_id <> '00000000-0000-7000-8000-000000000000';
UPDATE tocsin.roles SET permissions = permissions || ARRAY['sounds:read']
WHERE built_in AND name = 'viewer' AND project_id <> '00000000-0000-7000-8000-000000000000';
"""

# As before, and with the sound of each rule: its own, else that of its topic, else that of its priority.
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
            'subjects', tocsin.subjects(project, ARRAY(
                SELECT DISTINCT c.subject FROM claimed c WHERE c.subject IS NOT NULL)))
    );
END $$;
"""

# As before, and with the content that a notification's sound had when it was made.
WRITING = """
CREATE OR REPLACE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id,
        rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota, sound_digest)
    SELECT project, environment, n.* FROM pg_catalog.json_to_recordset(made) AS n (id uuid, event_id uuid, event_type text,
        client_event_id text, rule_id uuid, rule_version integer, title text, message text, action json, sound text,
        priority text, require_ack boolean, topic text, internal boolean, over_quota boolean,
        sound_digest text);
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

# As before, and with that content.
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
            'to_proven_only', coalesce((SELECT p.settings #>> '{{connections,requireVerifiedAddresses}}'
                FROM tocsin.projects p WHERE p.id = project), 'false')::boolean,
            'deliveries', coalesce((SELECT pg_catalog.json_agg(o ORDER BY o.rank, o.id) FROM ours o), '[]'),
            'notifications', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', n.id, 'title', n.title, 'message', n.message, 'action', n.action, 'sound', n.sound,
                    'priority', n.priority, 'require_ack', n.require_ack, 'created_at', n.created_at,
                    'event_id', n.event_id, 'event_type', n.event_type, 'client_event_id', n.client_event_id,
                    'acknowledged', n.acked_at IS NOT NULL, 'sound_digest', n.sound_digest,
                    'hops', coalesce((SELECT h.hops FROM tocsin.event_hops h
                        WHERE h.project_id = project AND h.event_id = n.event_id), 0)))
                FROM (SELECT DISTINCT o.notification_id FROM ours o) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.notifications n
                    WHERE n.project_id = project AND n.id = w.notification_id OFFSET 0) n), '[]'),
            'people', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', u.id, 'external_user_id', u.external_user_id, 'name', u.name, 'email', u.email,
                    'email_proven', u.email_verified_at IS NOT NULL, 'phone', u.phone, 'locale', u.locale, 'status', u.status))
                FROM (SELECT o.user_id FROM ours o UNION SELECT e.user_id FROM everybody e) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.users u WHERE u.project_id = project AND u.id = w.user_id OFFSET 0) u), '[]'),
            'recipients', coalesce((SELECT pg_catalog.json_object_agg(g.notification_id, g.people) FROM (
                    SELECT e.notification_id, pg_catalog.json_agg(e.user_id ORDER BY e.user_id) AS people
                    FROM everybody e GROUP BY e.notification_id) g), '{{}}'),
            'addresses', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', a.id, 'user_id', a.user_id, 'channel', a.channel, 'value', a.value,
                    'refused', a.opted_out_at IS NOT NULL, 'proven', a.verified_at IS NOT NULL)
                    ORDER BY a.opted_out_at IS NULL, a.id)
                FROM (SELECT DISTINCT o.user_id FROM ours o WHERE o.channel = ANY (addressed)) w CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.addresses a
                    WHERE a.project_id = project AND a.user_id = w.user_id OFFSET 0) a), '[]'),
            'connections', tocsin.connection_candidates(project,
                ARRAY(SELECT DISTINCT o.channel FROM ours o), ARRAY(SELECT DISTINCT o.user_id FROM ours o)))
    );
END $$;
"""
