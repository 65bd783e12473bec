"""What matching needs to know of the events it claimed, in one round trip."""

from tocsin.kit.migrate import as_owner

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    as_owner(READING)


# As JSON, because rows of four shapes travel together; payloads and metadata are JSON already and are not touched.
# The scope is named here, so that no statement of its own has to: plpgsql runs one after the other. OFFSET 0 keeps the
# planner from joining the other way round, which would read every rule of the project.
READING = """
CREATE FUNCTION tocsin.patterns_of(type text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY[type, '*'] || ARRAY(
        SELECT pg_catalog.array_to_string(s.segments[:n], '.') || '.*'
        FROM pg_catalog.generate_series(1, pg_catalog.cardinality(s.segments) - 1) AS n)
    FROM pg_catalog.string_to_array(type, '.') AS s (segments)
$$;
-- A row of the sandbox wins over a live one.
CREATE FUNCTION tocsin.subjects(project uuid, external_ids text[]) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(pg_catalog.json_object_agg(u.external_user_id, pg_catalog.json_build_object(
        'id', u.id, 'externalUserId', u.external_user_id, 'email', u.email, 'name', u.name, 'phone', u.phone,
        'status', u.status, 'locale', u.locale, 'timezone', u.timezone, 'metadata', u.metadata)), '{{}}')
    FROM (SELECT DISTINCT ON (u.external_user_id) u.* FROM tocsin.users u
        WHERE u.project_id = project AND u.external_user_id = ANY (external_ids)
        ORDER BY u.external_user_id, u.env DESC) u
$$;
CREATE FUNCTION tocsin.read_claimed(project uuid, env text, ids uuid[], token uuid) RETURNS json
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
                    'target_roles', ARRAY(SELECT t.role_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.role_id IS NOT NULL
                        ORDER BY t.position),
                    'target_users', ARRAY(SELECT t.user_id FROM tocsin.rule_targets t
                        WHERE t.project_id = project AND t.rule_id = r.id AND t.user_id IS NOT NULL
                        ORDER BY t.position)))
                FROM found f CROSS JOIN LATERAL (
                    SELECT * FROM tocsin.rules r WHERE r.project_id = project AND r.id = f.rule_id OFFSET 0) r
                WHERE r.active), '[]'),
            'subjects', tocsin.subjects(project, ARRAY(
                SELECT DISTINCT c.subject FROM claimed c WHERE c.subject IS NOT NULL)))
    );
END $$;
REVOKE ALL ON FUNCTION tocsin.patterns_of, tocsin.subjects, tocsin.read_claimed FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.patterns_of, tocsin.subjects, tocsin.read_claimed TO {app};
"""
