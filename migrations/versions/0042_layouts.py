"""A project's own HTML around what its mails say (P4); words as their readers want times and numbers written (R4)."""

from tocsin.kit.migrate import as_owner

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    as_owner(TEMPLATES)
    as_owner(WAYS)
    as_owner(READING)
    as_owner(GATHERED)


TEMPLATES = """
ALTER TABLE tocsin.templates DROP CONSTRAINT templates_kind_check;
ALTER TABLE tocsin.templates ADD CONSTRAINT templates_kind_check
    CHECK (kind IN ('notification', 'system_mail', 'digest', 'layout'));
"""

# How somebody reads: length|time|number|zone, for `rules/ways.py`.
WAYS = """
CREATE FUNCTION tocsin.way_of_reading(zone text, project_zone text, preferences json) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT pg_catalog.concat_ws('|', coalesce(preferences #>> '{{format,length}}', 'full'),
        coalesce(preferences #>> '{{format,time}}', '24h'), coalesce(preferences #>> '{{format,number}}', '1,234.5'),
        coalesce(zone, project_zone, 'UTC'))
$$;
REVOKE ALL ON FUNCTION tocsin.way_of_reading FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.way_of_reading TO {app};
"""

# As before, and with the layouts of mails by language, the one that was written first before the others, and with how
# people read.
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
            'layouts', CASE WHEN EXISTS (SELECT FROM ours o WHERE o.channel = 'email') THEN (
                SELECT pg_catalog.json_object_agg(l.language, l.body ORDER BY l.id) FROM (
                    SELECT DISTINCT ON (t.language) t.id, t.language, t.body FROM tocsin.templates t
                    WHERE t.project_id = project AND t.kind = 'layout' AND t.name = 'mail'
                    ORDER BY t.language, t.env DESC) l) END,
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
                    'email_proven', u.email_verified_at IS NOT NULL, 'phone', u.phone, 'locale', u.locale, 'status', u.status,
                    'way', tocsin.way_of_reading(u.timezone,
                        (SELECT p.settings->>'timezone' FROM tocsin.projects p WHERE p.id = project), u.preferences)))
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

# As before, and with items as the reader of the digest reads times and numbers.
GATHERED = """
CREATE OR REPLACE FUNCTION tocsin.read_digests(project uuid, environment text, ids uuid[]) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    language text;
    zone text;
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    SELECT p.settings->>'language', p.settings->>'timezone' INTO language, zone FROM tocsin.projects p WHERE p.id = project;
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
                'translations', r.digest->'translations', 'language', language,
                'template', CASE WHEN r.digest->>'template' IS NOT NULL THEN (
                    SELECT pg_catalog.json_object_agg(w.key, pg_catalog.json_build_object(
                        'title', w.subject, 'message', w.body))
                    FROM (
                        SELECT DISTINCT ON (t.channel, t.language) t.subject, t.body,
                            t.language || CASE WHEN t.channel = '' THEN '' ELSE '@' || t.channel END AS key
                        FROM tocsin.templates t
                        WHERE t.project_id = project AND t.kind = 'digest' AND t.name = r.digest->>'template'
                        ORDER BY t.channel, t.language, t.env DESC) w) END,
                'user', (SELECT pg_catalog.json_build_object('id', u.id, 'externalUserId', u.external_user_id,
                        'email', u.email, 'name', u.name, 'phone', u.phone, 'status', u.status, 'locale', u.locale,
                        'timezone', u.timezone, 'metadata', u.metadata, 'format', u.preferences->'format')
                    FROM tocsin.users u WHERE u.project_id = project AND u.id = g.user_id),
                'way', h.way, 'count', i.count, 'items', coalesce(i.listed, '[]')))
            FROM tocsin.digests g
            LEFT JOIN tocsin.rules r ON r.project_id = project AND r.id = g.rule_id
            CROSS JOIN LATERAL (
                SELECT pg_catalog.array_agg(pg_catalog.split_part(pg_catalog.lower(
                    pg_catalog.replace(wanted.tag, '_', '-')), '-', 1)) AS tongues
                FROM (SELECT u.locale AS tag FROM tocsin.users u WHERE u.project_id = project AND u.id = g.user_id
                    UNION SELECT language) wanted WHERE wanted.tag IS NOT NULL) k
            CROSS JOIN LATERAL (
                SELECT (SELECT tocsin.way_of_reading(u.timezone, zone, u.preferences) FROM tocsin.users u
                    WHERE u.project_id = project AND u.id = g.user_id) AS way) h
            CROSS JOIN LATERAL (
                SELECT count(*) AS count, pg_catalog.json_agg(pg_catalog.json_build_object(
                        'id', o.id, 'title', CASE WHEN o.total = 1 THEN o.title ELSE pg_catalog.left(o.title, 300) END,
                        'message', CASE WHEN o.total = 1 THEN o.message ELSE pg_catalog.left(o.message, 500) END,
                        'action', CASE WHEN o.total = 1 THEN o.action END, 'eventType', o.event_type,
                        'createdAt', tocsin.as_told(o.created_at),
                        'translations', CASE WHEN o.translations IS NOT NULL THEN (
                            SELECT pg_catalog.json_object_agg(t.key, pg_catalog.json_build_object(
                                'title', CASE WHEN o.total = 1 THEN t.value->>'title'
                                    ELSE pg_catalog.left(t.value->>'title', 300) END,
                                'message', CASE WHEN o.total = 1 THEN t.value->>'message'
                                    ELSE pg_catalog.left(t.value->>'message', 500) END,
                                'action', CASE WHEN o.total = 1 THEN t.value->'action' END))
                            FROM pg_catalog.json_each(o.translations) t
                            WHERE pg_catalog.strpos(t.key, '@') = 0
                                AND pg_catalog.split_part(t.key, '#', 2) IN ('', h.way)
                                AND pg_catalog.split_part(pg_catalog.lower(pg_catalog.replace(
                                    pg_catalog.split_part(t.key, '#', 1), '_', '-')), '-', 1) = ANY (k.tongues || ''::text))
                            END) ORDER BY o.number)
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
"""
