"""Which stages of a worker have something to do, in one look."""

from tocsin.kit.migrate import as_pipeline

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    as_pipeline(WAITING)


# Each is one step into a partial index of what waits. It may name a stage whose work is locked or of a suspended
# project, and must never leave one out whose claim would find something.
WAITING = """
CREATE FUNCTION tocsin.waiting_stages() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT ARRAY(SELECT s.name FROM (VALUES
        ('match', EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'received' AND e.claims = 0)
            OR EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'received' AND e.claims > 0)),
        ('send', EXISTS (SELECT FROM tocsin.deliveries d WHERE d.state = 'queued' AND d.ready)),
        ('clock', EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND NOT d.ready AND d.due_at <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'leased' AND e.lease_until < pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'leased' AND d.lease_until < pg_catalog.now())),
        ('mail', EXISTS (SELECT FROM tocsin.mails m
            WHERE m.state = 'queued' AND m.env = 'live' AND m.due_at <= pg_catalog.now())),
        ('seal', EXISTS (SELECT FROM tocsin.audit_log a WHERE a.seq IS NULL)),
        ('quotas', EXISTS (SELECT FROM tocsin.quota_notices n WHERE n.told_at IS NULL))
    ) AS s (name, waits) WHERE s.waits)
$$;
REVOKE ALL ON FUNCTION tocsin.waiting_stages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.waiting_stages TO {app};
"""
