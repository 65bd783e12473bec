"""Numbers proven by a code (C10); what becomes of text messages (D5); messages changed once acknowledged (R3)."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index
from tocsin.kit.walls import for_pipeline, walled

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    build_index(
        "deliveries_by_text",
        "deliveries",
        "(connection_id, provider_message_id) WHERE channel = 'sms' AND provider_message_id IS NOT NULL",
    )
    as_owner(CODES)
    as_owner("\n".join([*walled("phone_codes", "traffic"), for_pipeline("phone_codes")]))
    as_owner(GRANTS)
    as_pipeline(TIDY)
    as_pipeline(FIND)
    as_owner(AMENDMENTS)
    as_owner("\n".join([*walled("amendments", "traffic"), for_pipeline("amendments")]))
    as_owner(AMENDMENT_GRANTS)
    as_pipeline(CLAIM)
    as_pipeline(WAITING)


# What is counted against floods: it outlasts the person, of whose number a keyed hash stays and no more.
CODES = """
CREATE TABLE tocsin.phone_codes (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid,
    number_hash bytea NOT NULL,
    code_hash bytea NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE SET NULL (user_id)
);
CREATE INDEX phone_codes_user ON tocsin.phone_codes (project_id, user_id);
CREATE INDEX phone_codes_project ON tocsin.phone_codes (project_id, created_at);
CREATE INDEX phone_codes_age ON tocsin.phone_codes (created_at);
"""

GRANTS = """
GRANT SELECT (project_id, id, created_at), UPDATE (created_at), DELETE ON tocsin.phone_codes TO {pipeline};
"""

# Longer than the day in which they are counted.
TIDY = """
CREATE FUNCTION tocsin.tidy_phone_codes(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH removed AS (
        DELETE FROM tocsin.phone_codes WHERE (project_id, id) IN (
            SELECT c.project_id, c.id FROM tocsin.phone_codes c
            WHERE c.created_at < pg_catalog.now() - interval '2 days' ORDER BY c.created_at
            LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION tocsin.tidy_phone_codes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.tidy_phone_codes TO {app};
"""

# As before, and a text message; each of the two has an index of its own.
FIND = """
CREATE OR REPLACE FUNCTION tocsin.find_sent(connection_project uuid, connection uuid, message text)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
    WHERE d.connection_id = connection AND d.provider_message_id = message AND d.channel = 'whatsapp'
        AND d.connection_project = find_sent.connection_project
    UNION ALL
    SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
    WHERE d.connection_id = connection AND d.provider_message_id = message AND d.channel = 'sms'
        AND d.connection_project = find_sent.connection_project
$$;
"""

# A message that is to say that its notification was acknowledged; gone once it does.
AMENDMENTS = """
CREATE TABLE tocsin.amendments (
    project_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    tries integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, delivery_id)
);
CREATE INDEX amendments_due ON tocsin.amendments (due_at);
CREATE INDEX amendments_project_due ON tocsin.amendments (project_id, due_at);
"""

AMENDMENT_GRANTS = """
GRANT SELECT (project_id, env, delivery_id, tries, due_at), UPDATE (tries, due_at) ON tocsin.amendments TO {pipeline};
"""

# The count goes up before the try, and the lease is the next due time: what a process dies over is tried again. The
# oldest of each project first, then the second of each: what one of them has to change holds up nobody else's.
CLAIM = """
CREATE FUNCTION tocsin.claim_amendments(most integer, most_each integer, lease_seconds integer)
    RETURNS TABLE (project_id uuid, env text, delivery_id uuid, tries integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY WITH RECURSIVE waiting AS (
        (SELECT w.project_id FROM tocsin.amendments w ORDER BY w.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT w.project_id FROM tocsin.amendments w WHERE w.project_id > p.project_id
            ORDER BY w.project_id LIMIT 1)
        FROM waiting p WHERE p.project_id IS NOT NULL
    ), due AS MATERIALIZED (
        SELECT w.project_id, d.delivery_id, row_number() OVER (PARTITION BY w.project_id ORDER BY d.due_at) AS nth,
            d.due_at
        FROM waiting w CROSS JOIN LATERAL (
            SELECT q.delivery_id, q.due_at FROM tocsin.amendments q
            WHERE q.project_id = w.project_id AND q.due_at <= pg_catalog.now()
            ORDER BY q.due_at LIMIT most_each FOR UPDATE SKIP LOCKED) d
    ), picked AS MATERIALIZED (
        SELECT d.project_id, d.delivery_id FROM due d ORDER BY d.nth, d.due_at LIMIT most
    )
    UPDATE tocsin.amendments a
    SET tries = a.tries + 1, due_at = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE a.project_id = p.project_id AND a.delivery_id = p.delivery_id
    RETURNING a.project_id, a.env, a.delivery_id, a.tries;
END $$;
REVOKE ALL ON FUNCTION tocsin.claim_amendments FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_amendments TO {app};
"""

# As before, and messages to be changed; planned once per connection (0041).
WAITING = """
CREATE OR REPLACE FUNCTION tocsin.more_waiting_stages() RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN (SELECT ARRAY(SELECT s.name FROM (VALUES
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
        ('order', EXISTS (SELECT FROM tocsin.channel_turns t WHERE t.due_at <= pg_catalog.now() + interval '1 second')),
        ('amend', EXISTS (SELECT FROM tocsin.amendments a WHERE a.due_at <= pg_catalog.now()))
    ) AS s (name, waits) WHERE s.waits));
END $$;
"""
