"""What is mailed to people: links that prove an address, invitations, forgotten passwords."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0002"
down_revision = "0001"

TABLES = {"mails": "traffic", "links": "traffic", "invites": "config", "mail_counts": "account", "resets": "account"}
TIDIED = ("mails", "links", "mail_counts")


def upgrade() -> None:
    as_owner(MAILS)
    as_owner(LINKS)
    as_owner(REQUESTS)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))  # type: ignore[arg-type]
    as_owner("\n".join(for_pipeline(table) for table in TIDIED))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(FUNCTIONS)


# `details` is sealed: it may hold a link with a token, and that is worth an account.
MAILS = """
CREATE TABLE tocsin.mails (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid,
    kind text NOT NULL,
    recipient text NOT NULL,
    details text NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sent', 'failed', 'captured')),
    due_at timestamptz NOT NULL DEFAULT now(),
    give_up_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    lease_token uuid,
    last_error text,
    sent_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX mails_due ON tocsin.mails (project_id, due_at) WHERE state = 'queued' AND env = 'live';
CREATE INDEX mails_user ON tocsin.mails (project_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX mails_age ON tocsin.mails (created_at);
"""

# `email` is the address the link was sent to, `account_email` the one the account had then: after a change of
# the address older links are worth nothing.
LINKS = """
CREATE TABLE tocsin.links (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'change_email', 'reset_password', 'accept_invite')),
    email text NOT NULL,
    account_email text,
    secret_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX links_user ON tocsin.links (project_id, user_id);
CREATE INDEX links_age ON tocsin.links (expires_at);
CREATE TABLE tocsin.invites (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid NOT NULL,
    email text NOT NULL,
    roles text[] NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'withdrawn')),
    invited_by_kind text NOT NULL,
    invited_by uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX invites_one_open ON tocsin.invites (project_id, user_id) WHERE state = 'open';
CREATE INDEX invites_user ON tocsin.invites (project_id, user_id);
"""

# `resets` are asked for by nobody in particular, so they belong to the platform until somebody looks whose they are.
REQUESTS = """
CREATE TABLE tocsin.mail_counts (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    subject text NOT NULL,
    hour timestamptz NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (project_id, subject, hour)
);
CREATE INDEX mail_counts_age ON tocsin.mail_counts (hour);
CREATE TABLE tocsin.resets (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    email text NOT NULL,
    project_slug text,
    base_url text NOT NULL,
    ip_address text,
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX resets_due ON tocsin.resets (project_id, due_at);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, id, env, state, due_at, attempts, lease_token, created_at),
    UPDATE (due_at, attempts, lease_token), DELETE ON tocsin.mails TO {pipeline};
GRANT SELECT (project_id, id, expires_at), UPDATE (expires_at), DELETE ON tocsin.links TO {pipeline};
GRANT SELECT, UPDATE (hour), DELETE ON tocsin.mail_counts TO {pipeline};
"""

# A claim moves due_at to the end of the lease: a mail whose process died is due again by itself.
FUNCTIONS = """
CREATE FUNCTION tocsin.claim_mails(
    after uuid, most_projects integer, most_each integer, lease_seconds integer, token uuid)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH RECURSIVE waiting AS (
        (SELECT m.project_id FROM tocsin.mails m
         WHERE m.state = 'queued' AND m.env = 'live' AND m.project_id > after AND m.due_at <= pg_catalog.now()
         ORDER BY m.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT m.project_id FROM tocsin.mails m
                WHERE m.state = 'queued' AND m.env = 'live' AND m.project_id > w.project_id
                    AND m.due_at <= pg_catalog.now()
                ORDER BY m.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id FROM waiting w WHERE w.project_id IS NOT NULL LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, m.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.mails q
            WHERE q.project_id = t.project_id AND q.state = 'queued' AND q.env = 'live'
                AND q.due_at <= pg_catalog.now()
            ORDER BY q.due_at LIMIT most_each FOR UPDATE SKIP LOCKED) m
    )
    UPDATE tocsin.mails m
    SET lease_token = token, attempts = m.attempts + 1,
        due_at = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE m.project_id = p.project_id AND m.id = p.id
    RETURNING m.project_id, m.env, m.id
$$;
CREATE FUNCTION tocsin.mail_waits() RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT EXISTS (SELECT FROM tocsin.mails m
        WHERE m.state = 'queued' AND m.env = 'live' AND m.due_at <= pg_catalog.now())
$$;
-- Mails are kept for 30 days, links for a day after their time, counts for a day.
CREATE FUNCTION tocsin.tidy_mails(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH mails AS (
        DELETE FROM tocsin.mails WHERE (project_id, id) IN (
            SELECT project_id, id FROM tocsin.mails
            WHERE created_at < pg_catalog.now() - interval '30 days' ORDER BY created_at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    ), links AS (
        DELETE FROM tocsin.links WHERE (project_id, id) IN (
            SELECT project_id, id FROM tocsin.links
            WHERE expires_at < pg_catalog.now() - interval '1 day' ORDER BY expires_at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    ), counts AS (
        DELETE FROM tocsin.mail_counts WHERE (project_id, subject, hour) IN (
            SELECT project_id, subject, hour FROM tocsin.mail_counts
            WHERE hour < pg_catalog.now() - interval '1 day' ORDER BY hour LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    )
    SELECT (SELECT count(*) FROM mails) + (SELECT count(*) FROM links) + (SELECT count(*) FROM counts)
$$;
REVOKE ALL ON FUNCTION tocsin.claim_mails, tocsin.mail_waits, tocsin.tidy_mails FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_mails, tocsin.mail_waits, tocsin.tidy_mails TO {app};
"""
