"""Who acknowledges in a chat is kept by the name they have there (R3); digests in the reader's language (R1, R4)."""

from tocsin.kit.migrate import as_owner

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    as_owner(ACKNOWLEDGED)
    as_owner(TEMPLATES)
    as_owner(READERS)
    as_owner(READING)


# Where whoever acknowledged is nobody of the project.
ACKNOWLEDGED = "ALTER TABLE tocsin.notifications ADD COLUMN acked_as text;"

TEMPLATES = """
ALTER TABLE tocsin.templates DROP CONSTRAINT templates_kind_check;
ALTER TABLE tocsin.templates ADD CONSTRAINT templates_kind_check
    CHECK (kind IN ('notification', 'system_mail', 'digest'));
"""

# As before, and with how they want times and numbers written.
READERS = """
CREATE OR REPLACE FUNCTION tocsin.subjects(project uuid, external_ids text[]) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(pg_catalog.json_object_agg(u.external_user_id, pg_catalog.json_build_object(
        'id', u.id, 'externalUserId', u.external_user_id, 'email', u.email, 'name', u.name, 'phone', u.phone,
        'status', u.status, 'locale', u.locale, 'timezone', u.timezone, 'metadata', u.metadata,
        'format', u.preferences->'format')), '{{}}')
    FROM (SELECT DISTINCT ON (u.external_user_id) u.* FROM tocsin.users u
        WHERE u.project_id = project AND u.external_user_id = ANY (external_ids)
        ORDER BY u.external_user_id, u.env DESC) u
$$;
"""

# As before, and with what it takes to word a digest in the reader's language: the words of rule and template, and those
# of its items in the languages that may be theirs.
READING = """
CREATE OR REPLACE FUNCTION tocsin.read_digests(project uuid, environment text, ids uuid[]) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    language text;
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    SELECT p.settings->>'language' INTO language FROM tocsin.projects p WHERE p.id = project;
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
                'count', i.count, 'items', coalesce(i.listed, '[]')))
            FROM tocsin.digests g
            LEFT JOIN tocsin.rules r ON r.project_id = project AND r.id = g.rule_id
            CROSS JOIN LATERAL (
                SELECT pg_catalog.array_agg(pg_catalog.split_part(pg_catalog.lower(
                    pg_catalog.replace(wanted.tag, '_', '-')), '-', 1)) AS tongues
                FROM (SELECT u.locale AS tag FROM tocsin.users u WHERE u.project_id = project AND u.id = g.user_id
                    UNION SELECT language) wanted WHERE wanted.tag IS NOT NULL) k
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
                            WHERE pg_catalog.strpos(t.key, '@') = 0 AND pg_catalog.split_part(pg_catalog.lower(
                                pg_catalog.replace(t.key, '_', '-')), '-', 1) = ANY (k.tongues)) END) ORDER BY o.number)
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
