"""Types of events with their schemas, words of a rule in several languages, and templates (E7, R1)."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0037"
down_revision = "0036"

TABLES: dict[str, Kind] = {"event_types": "config", "seen_event_types": "traffic", "templates": "config"}


def upgrade() -> None:
    as_owner(TYPES)
    as_owner(WORDS)
    as_owner(TEMPLATES)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
    as_owner(for_pipeline("seen_event_types"))
    as_owner(PIPELINE_GRANTS)
    as_owner(MATCHING)
    as_owner(DECIDING)
    as_owner(WRITING)
    as_owner(READING)
    as_pipeline(SEEING)


TYPES = """
CREATE TABLE tocsin.event_types (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    description text,
    schema json,
    weight integer NOT NULL,
    example json,
    mode text NOT NULL CHECK (mode IN ('off', 'warn', 'reject')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT event_types_name_taken UNIQUE (project_id, name, env)
);
CREATE TABLE tocsin.seen_event_types (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    id uuid NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, env, name)
);
ALTER TABLE tocsin.events ADD COLUMN faults json;
"""

# By language: of a rule its templates, of a notification what they printed.
WORDS = """
ALTER TABLE tocsin.rules ADD COLUMN translations json;
ALTER TABLE tocsin.notifications ADD COLUMN translations json;
"""

# ``channel`` is empty where the words are for all that have none of their own.
TEMPLATES = """
CREATE TABLE tocsin.templates (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    kind text NOT NULL CHECK (kind IN ('notification', 'system_mail')),
    name text NOT NULL,
    channel text NOT NULL DEFAULT '',
    language text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT templates_once UNIQUE (project_id, kind, name, channel, language, env)
);
ALTER TABLE tocsin.rules ADD COLUMN template text;
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, env, name), INSERT (project_id, env, name, id), UPDATE (last_seen_at)
    ON tocsin.seen_event_types TO {pipeline};
"""

# As before, and with the types that warn and the words in other languages.
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

# As before, and with what was wrong with each event.
DECIDING = """
-- Gives back the events whose lease was still this token's; nothing is written of the others.
CREATE OR REPLACE FUNCTION tocsin.write_matched(project uuid, environment text, token uuid, decided json, made json) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[];
    kept json := made;
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH finished AS (
        UPDATE tocsin.events e SET state = 'processed', outcome = d.outcome, trace = d.trace, faults = d.faults,
            processed_at = pg_catalog.clock_timestamp(), lease_token = NULL, lease_until = NULL
        FROM pg_catalog.json_to_recordset(decided) AS d (id uuid, outcome text, trace json, faults json)
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
"""

# As before, and with the words in other languages.
WRITING = """
CREATE OR REPLACE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
BEGIN
    INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id,
        rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota, sound_digest,
        translations)
    SELECT project, environment, n.* FROM pg_catalog.json_to_recordset(made) AS n (id uuid, event_id uuid, event_type text,
        client_event_id text, rule_id uuid, rule_version integer, title text, message text, action json, sound text,
        priority text, require_ack boolean, topic text, internal boolean, over_quota boolean,
        sound_digest text, translations json);
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

# As before, and with the words in other languages, and the language and looks of the project.
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
            'language', (SELECT p.settings->>'language' FROM tocsin.projects p WHERE p.id = project),
            'branding', (SELECT p.branding FROM tocsin.projects p WHERE p.id = project),
            'to_proven_only', coalesce((SELECT p.settings #>> '{{connections,requireVerifiedAddresses}}'
                FROM tocsin.projects p WHERE p.id = project), 'false')::boolean,
            'deliveries', coalesce((SELECT pg_catalog.json_agg(o ORDER BY o.rank, o.id) FROM ours o), '[]'),
            'notifications', coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                    'id', n.id, 'title', n.title, 'message', n.message, 'action', n.action, 'translations', n.translations, 'sound', n.sound,
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

# The first 1,000 of a project and environment are listed: types that are made of ids would grow without end.
SEEING = """
CREATE FUNCTION tocsin.note_event_types(projects uuid[], envs text[], names text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH told AS MATERIALIZED (
        SELECT DISTINCT s.project_id, s.env, s.name FROM unnest(projects, envs, names) AS s (project_id, env, name)
        JOIN tocsin.projects p ON p.id = s.project_id
    ), new AS MATERIALIZED (
        SELECT t.*, pg_catalog.row_number() OVER (PARTITION BY t.project_id, t.env ORDER BY t.name) AS nth
        FROM told t WHERE NOT EXISTS (SELECT FROM tocsin.seen_event_types s
            WHERE s.project_id = t.project_id AND s.env = t.env AND s.name = t.name)
    ), room AS MATERIALIZED (
        SELECT n.project_id, n.env, 1000 - (SELECT count(*) FROM tocsin.seen_event_types s
            WHERE s.project_id = n.project_id AND s.env = n.env) AS left_over
        FROM (SELECT DISTINCT n.project_id, n.env FROM new n) n
    )
    INSERT INTO tocsin.seen_event_types AS kept (project_id, env, name, id)
    SELECT t.project_id, t.env, t.name, tocsin.new_id() FROM told t
    LEFT JOIN new n USING (project_id, env, name) LEFT JOIN room r USING (project_id, env)
    WHERE n.nth IS NULL OR n.nth <= r.left_over
    ORDER BY t.project_id, t.env, t.name
    ON CONFLICT (project_id, env, name) DO UPDATE SET last_seen_at = pg_catalog.now()
$$;
REVOKE ALL ON FUNCTION tocsin.note_event_types FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.note_event_types TO {app};
"""
