"""A project's own HTML around what its mails say (P4)."""

from tocsin.kit.migrate import as_owner

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    as_owner(TEMPLATES)
    as_owner(READING)


TEMPLATES = """
ALTER TABLE tocsin.templates DROP CONSTRAINT templates_kind_check;
ALTER TABLE tocsin.templates ADD CONSTRAINT templates_kind_check
    CHECK (kind IN ('notification', 'system_mail', 'digest', 'layout'));
"""

# As before, and with the layouts of mails by language, the one that was written first before the others.
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
