"""What providers tell us: an address per connection, each item as it came in, links to people, chats of bots."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0021"
down_revision = "0019"


def upgrade() -> None:
    as_owner(HOOKS)
    as_owner(RAW)
    as_owner(CHATS)
    as_owner("\n".join([*walled("hooks", "config"), for_pipeline("hooks")]))
    as_owner("\n".join([*walled("inbound_raw", "traffic"), for_pipeline("inbound_raw")]))
    as_owner("\n".join([*walled("address_links", "traffic"), for_pipeline("address_links")]))
    as_owner("\n".join(walled("chats", "config")))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(FUNCTIONS)


# `token` is the opaque part of the address and says which connection is meant; `secret`, sealed, is what the provider
# proves itself with where it has no secret of its own. The lease is of the connection: one worker at a time works on
# what came in through it, in the order in which it came. Where we ask the provider (`polled`), another lease says who
# does, and `polled_after` how far what it said is stored.
HOOKS = """
CREATE TABLE tocsin.hooks (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    provider text NOT NULL,
    token text NOT NULL,
    secret text NOT NULL,
    registered_at timestamptz,
    last_received_at timestamptz,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    lease_token uuid,
    polled boolean NOT NULL DEFAULT false,
    polled_after text,
    poll_until timestamptz NOT NULL DEFAULT '-infinity',
    poll_token uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, connection_id),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX hooks_token_taken ON tocsin.hooks (token);
CREATE INDEX hooks_polled ON tocsin.hooks (poll_until) WHERE polled;
"""

# Without a foreign key to the connection: removing one is part of a request, and must not remove a week of messages.
RAW = """
CREATE TABLE tocsin.inbound_raw (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    connection_id uuid NOT NULL,
    event_id text NOT NULL,
    payload json NOT NULL,
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'processed', 'ignored', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    last_error text,
    received_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (project_id, id),
    CONSTRAINT inbound_raw_once UNIQUE (project_id, connection_id, event_id)
);
CREATE INDEX inbound_raw_waiting ON tocsin.inbound_raw (project_id, connection_id, id) WHERE state = 'received';
CREATE INDEX inbound_raw_age ON tocsin.inbound_raw (received_at);
"""

# A link that a person opens at the provider, so that we learn under which address they are there. And chats that a bot
# was taken into or thrown out of: what a destination may be made of.
CHATS = """
CREATE TABLE tocsin.address_links (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    secret_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    used_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT address_links_secret UNIQUE (project_id, env, secret_hash),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE INDEX address_links_user ON tocsin.address_links (project_id, user_id);
CREATE INDEX address_links_connection ON tocsin.address_links (project_id, connection_id);
CREATE INDEX address_links_age ON tocsin.address_links (expires_at);
CREATE TABLE tocsin.chats (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    target text NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    kind text NOT NULL,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT chats_once UNIQUE (project_id, connection_id, target),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, connection_id, env, provider, token, lease_until, polled, poll_until),
    UPDATE (lease_until, lease_token, poll_until, poll_token) ON tocsin.hooks TO {pipeline};
GRANT SELECT (project_id, id, connection_id, state, due_at, received_at), UPDATE (ended_at), DELETE
    ON tocsin.inbound_raw TO {pipeline};
GRANT SELECT (project_id, id, expires_at), UPDATE (expires_at), DELETE ON tocsin.address_links TO {pipeline};
"""

FUNCTIONS = """
CREATE FUNCTION tocsin.find_hook(wanted text)
    RETURNS TABLE (project_id uuid, env text, connection_id uuid, provider text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT h.project_id, h.env, h.connection_id, h.provider FROM tocsin.hooks h WHERE h.token = wanted
$$;
-- Connections with something to work on, of the next projects in turn. Taken are the addresses, not the rows: a second
-- worker passes over one that is taken, or finds its lease where it was taken meanwhile.
CREATE FUNCTION tocsin.claim_inbound(
    after uuid, most_projects integer, most_each integer, lease_seconds integer, taker uuid)
    RETURNS TABLE (project_id uuid, env text, connection_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' SET enable_sort = off SET enable_seqscan = off
    SET enable_bitmapscan = off AS $$
    WITH RECURSIVE waiting AS (
        (SELECT r.project_id FROM tocsin.inbound_raw r
         WHERE r.state = 'received' AND r.project_id > after ORDER BY r.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT r.project_id FROM tocsin.inbound_raw r
                WHERE r.state = 'received' AND r.project_id > w.project_id ORDER BY r.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id FROM waiting w
        WHERE w.project_id IS NOT NULL AND w.project_id <> ALL (ARRAY(
            SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
        LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, h.connection_id FROM turn t CROSS JOIN LATERAL (
            SELECT q.connection_id FROM tocsin.hooks q
            WHERE q.project_id = t.project_id AND q.lease_until < pg_catalog.now()
                AND EXISTS (SELECT FROM tocsin.inbound_raw r
                    WHERE r.project_id = q.project_id AND r.connection_id = q.connection_id
                        AND r.state = 'received' AND r.due_at <= pg_catalog.now())
            ORDER BY q.lease_until LIMIT most_each FOR UPDATE SKIP LOCKED) h
    )
    UPDATE tocsin.hooks h
    SET lease_token = taker, lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE h.project_id = p.project_id AND h.connection_id = p.connection_id
    RETURNING h.project_id, h.env, h.connection_id
$$;
-- Connections that nobody asks for at the moment. Of suspended projects neither: what their bots hear waits there.
CREATE FUNCTION tocsin.claim_polls(most integer, lease_seconds integer, taker uuid)
    RETURNS TABLE (project_id uuid, env text, connection_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS MATERIALIZED (
        SELECT h.project_id, h.connection_id FROM tocsin.hooks h JOIN tocsin.projects p ON p.id = h.project_id
        WHERE h.polled AND h.env = 'live' AND h.poll_until < pg_catalog.now()
            AND p.status NOT IN ('suspended', 'cancelled')
        ORDER BY h.poll_until LIMIT most FOR UPDATE OF h SKIP LOCKED
    )
    UPDATE tocsin.hooks h
    SET poll_token = taker, poll_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM due d WHERE h.project_id = d.project_id AND h.connection_id = d.connection_id
    RETURNING h.project_id, h.env, h.connection_id
$$;
-- What came in a week ago: as long as providers repeat themselves. What waits stays, unless its connection is gone.
CREATE FUNCTION tocsin.tidy_inbound(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH gone AS (
        DELETE FROM tocsin.inbound_raw WHERE (project_id, id) IN (
            SELECT r.project_id, r.id FROM tocsin.inbound_raw r
            WHERE r.received_at < pg_catalog.now() - interval '7 days' AND (r.state <> 'received' OR NOT EXISTS (
                SELECT FROM tocsin.hooks h
                WHERE h.project_id = r.project_id AND h.connection_id = r.connection_id))
            ORDER BY r.received_at LIMIT most FOR UPDATE SKIP LOCKED) RETURNING 1
    ), links AS (
        DELETE FROM tocsin.address_links WHERE (project_id, id) IN (
            SELECT l.project_id, l.id FROM tocsin.address_links l
            WHERE l.expires_at < pg_catalog.now() - interval '7 days'
            ORDER BY l.expires_at LIMIT most FOR UPDATE SKIP LOCKED) RETURNING 1
    )
    SELECT (SELECT pg_catalog.count(*) FROM gone) + (SELECT pg_catalog.count(*) FROM links)
$$;
REVOKE ALL ON FUNCTION tocsin.find_hook, tocsin.claim_inbound, tocsin.claim_polls, tocsin.tidy_inbound FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_hook, tocsin.claim_inbound, tocsin.claim_polls, tocsin.tidy_inbound TO {app};
"""
