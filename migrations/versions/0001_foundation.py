"""The foundation: projects, people, rules, the way of an event, and the walls between projects."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, forced, walled

revision = "0001"
down_revision = None

PARTITIONED = ("events", "notifications", "notification_recipients", "deliveries", "attempts")

# What a table holds decides its walls (kit/walls.py).
ACCOUNT = ("data_keys", "api_keys", "identity_secrets", "realtime_apps", "sessions", "revocations", "audit_log")
CONFIG = (
    "users",
    "addresses",
    "roles",
    "user_roles",
    "rules",
    "rule_versions",
    "rule_patterns",
    "rule_targets",
    "connections",
    "destinations",
)
TRAFFIC = ("event_keys", "feeds", "idempotency_records", "used_tokens", *PARTITIONED)
QUEUE = ("events", "event_keys", "deliveries")


def upgrade() -> None:
    as_owner(SCOPE)
    as_owner(ACCOUNTS)
    as_owner(PEOPLE)
    as_owner(CONNECTIONS)
    as_owner(RULES)
    as_owner(TRAFFIC_TABLES)
    as_owner(PARTITIONS)
    as_owner("\n".join(walls()))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(LOOKUPS)
    as_pipeline(INGEST)
    as_pipeline(QUEUES)
    as_owner(PLATFORM)


SCOPE = """
CREATE FUNCTION tocsin.current_project() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(pg_catalog.current_setting('tocsin.project', true), '')::uuid;
CREATE FUNCTION tocsin.current_env() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(pg_catalog.current_setting('tocsin.env', true), '');
"""

ACCOUNTS = """
CREATE TABLE tocsin.projects (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    description text,
    slug text NOT NULL CONSTRAINT projects_slug_taken UNIQUE,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('trial', 'active', 'suspended', 'cancelled')),
    plan text NOT NULL,
    overrides json,
    trial_ends_at timestamptz,
    region text,
    owner_id uuid,
    settings json NOT NULL DEFAULT '{{}}',
    branding json NOT NULL DEFAULT '{{}}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE tocsin.data_keys (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    master_key_id text NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE TABLE tocsin.api_keys (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    key text NOT NULL CONSTRAINT api_keys_key_taken UNIQUE,
    secret_mac bytea NOT NULL,
    secret_hash text NOT NULL,
    previous_mac bytea,
    previous_hash text,
    previous_until timestamptz,
    permissions text[] NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked')),
    allowed_ips text[] NOT NULL DEFAULT '{{}}',
    rate_limit json,
    created_by uuid,
    expires_at timestamptz,
    last_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE TABLE tocsin.identity_secrets (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, env)
);
CREATE SEQUENCE tocsin.realtime_app_ids START 100000;
CREATE TABLE tocsin.realtime_apps (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    app_id bigint NOT NULL DEFAULT nextval('tocsin.realtime_app_ids') CONSTRAINT realtime_apps_app_id_taken UNIQUE,
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, env)
);
CREATE TABLE tocsin.revocations (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project_id, id)
);
CREATE INDEX revocations_at ON tocsin.revocations (at);
CREATE TABLE tocsin.audit_log (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL,
    action text NOT NULL,
    actor_type text NOT NULL,
    actor_id text,
    resource_type text NOT NULL,
    resource_id text,
    metadata json,
    ip_address text,
    user_agent text,
    request_id text,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
"""

PEOPLE = """
CREATE TABLE tocsin.users (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text,
    avatar_url text,
    email text,
    email_verified_at timestamptz,
    phone text,
    password_hash text,
    status text NOT NULL CHECK (status IN ('pending', 'active', 'disabled', 'unverified')),
    external_user_id text,
    metadata json NOT NULL DEFAULT '{{}}',
    locale text,
    timezone text,
    preferences json NOT NULL DEFAULT '{{}}',
    wished_roles text[] NOT NULL DEFAULT '{{}}',
    last_seen_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT users_email_taken UNIQUE (project_id, env, email),
    CONSTRAINT users_external_user_id_taken UNIQUE (project_id, env, external_user_id)
);
CREATE INDEX users_email ON tocsin.users (email) WHERE password_hash IS NOT NULL;
CREATE TABLE tocsin.addresses (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid NOT NULL,
    channel text NOT NULL,
    value text NOT NULL,
    verified_at timestamptz,
    opted_out_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT addresses_taken UNIQUE (project_id, user_id, channel, value),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE TABLE tocsin.roles (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    description text,
    permissions text[] NOT NULL,
    built_in boolean NOT NULL DEFAULT false,
    self_assignable boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT roles_name_taken UNIQUE (project_id, env, name)
);
CREATE TABLE tocsin.user_roles (
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    PRIMARY KEY (project_id, user_id, role_id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, role_id) REFERENCES tocsin.roles (project_id, id) ON DELETE CASCADE
);
CREATE INDEX user_roles_role ON tocsin.user_roles (project_id, role_id, user_id);
CREATE TABLE tocsin.sessions (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    nonce bytea NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    ip_address text,
    user_agent text,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX sessions_user ON tocsin.sessions (project_id, user_id);
"""

CONNECTIONS = """
CREATE TABLE tocsin.connections (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    provider text NOT NULL,
    channel text NOT NULL,
    owner text NOT NULL CHECK (owner IN ('platform', 'project', 'user')),
    user_id uuid,
    name text NOT NULL,
    credentials text,
    settings json NOT NULL DEFAULT '{{}}',
    account json,
    fingerprint bytea,
    is_default boolean NOT NULL DEFAULT false,
    use_as_fallback boolean NOT NULL DEFAULT true,
    shared_with text[] NOT NULL DEFAULT '{{}}',
    status text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'active', 'suspended', 'rate_limited', 'error')),
    status_reason text,
    verified_at timestamptz,
    health_status text NOT NULL DEFAULT 'unknown'
        CHECK (health_status IN ('unknown', 'healthy', 'degraded', 'failing')),
    last_health_check timestamptz,
    last_used_at timestamptz,
    rate_limit_rps integer,
    max_concurrent integer,
    ceilings json,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CHECK ((owner = 'user') = (user_id IS NOT NULL)),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX connections_one_default ON tocsin.connections (project_id, env, channel)
    WHERE is_default AND owner <> 'user';
CREATE UNIQUE INDEX connections_one_default_of_user ON tocsin.connections (project_id, env, channel, user_id)
    WHERE is_default AND owner = 'user';
CREATE TABLE tocsin.destinations (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    connection_id uuid NOT NULL,
    name text NOT NULL,
    target text NOT NULL,
    thread text,
    enabled boolean NOT NULL DEFAULT true,
    verified_at timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT destinations_name_taken UNIQUE (project_id, connection_id, name),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
"""

RULES = """
CREATE TABLE tocsin.rules (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    description text,
    event_types text[] NOT NULL,
    condition text,
    target_payload_user boolean NOT NULL DEFAULT false,
    channels text[] NOT NULL,
    title text NOT NULL,
    message text NOT NULL DEFAULT '',
    action json,
    sound text,
    priority text NOT NULL DEFAULT 'normal' CHECK (priority IN ('critical', 'high', 'normal', 'low')),
    active boolean NOT NULL DEFAULT true,
    suspended_reason text,
    require_ack boolean NOT NULL DEFAULT false,
    repeat json,
    escalation json,
    digest json,
    throttle json,
    active_times json,
    clock json,
    topic text,
    version integer NOT NULL DEFAULT 1,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE TABLE tocsin.rule_versions (
    project_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    rule json NOT NULL,
    created_by text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, rule_id, version),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE CASCADE
);
-- One row per pattern of an active rule: what an event's type is looked up by.
CREATE TABLE tocsin.rule_patterns (
    project_id uuid NOT NULL,
    pattern text NOT NULL,
    rule_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    PRIMARY KEY (project_id, pattern, rule_id),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE CASCADE
);
CREATE INDEX rule_patterns_rule ON tocsin.rule_patterns (project_id, rule_id);
CREATE TABLE tocsin.rule_targets (
    project_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    position integer NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    role_id uuid,
    user_id uuid,
    destination_id uuid,
    PRIMARY KEY (project_id, rule_id, position),
    CHECK (num_nonnulls(role_id, user_id, destination_id) = 1),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE CASCADE,
    CONSTRAINT rule_targets_role_in_use FOREIGN KEY (project_id, role_id)
        REFERENCES tocsin.roles (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, destination_id) REFERENCES tocsin.destinations (project_id, id) ON DELETE CASCADE
);
CREATE INDEX rule_targets_role ON tocsin.rule_targets (project_id, role_id) WHERE role_id IS NOT NULL;
CREATE INDEX rule_targets_user ON tocsin.rule_targets (project_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX rule_targets_destination ON tocsin.rule_targets (project_id, destination_id)
    WHERE destination_id IS NOT NULL;
"""

TRAFFIC_TABLES = """
CREATE TABLE tocsin.events (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL,
    type text NOT NULL,
    payload json NOT NULL,
    source text,
    client_event_id text,
    client_timestamp timestamptz,
    received_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'leased', 'processed', 'failed')),
    outcome text,
    trace json,
    processed_at timestamptz,
    lease_token uuid,
    lease_until timestamptz,
    claims smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX events_waiting ON tocsin.events (project_id, id) WHERE state = 'received' AND claims = 0;
CREATE INDEX events_suspect ON tocsin.events (id) WHERE state = 'received' AND claims > 0;
CREATE INDEX events_leased ON tocsin.events (lease_until) WHERE state = 'leased';
CREATE TABLE tocsin.event_keys (
    project_id uuid NOT NULL,
    env text NOT NULL,
    client_event_id text NOT NULL,
    event_id uuid NOT NULL,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, env, client_event_id)
);
CREATE INDEX event_keys_age ON tocsin.event_keys (created_at);
CREATE TABLE tocsin.notifications (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL,
    event_id uuid,
    event_type text,
    client_event_id text,
    rule_id uuid,
    rule_version integer,
    title text NOT NULL,
    message text NOT NULL,
    action json,
    sound text,
    priority text NOT NULL,
    require_ack boolean NOT NULL,
    topic text,
    acked_at timestamptz,
    acked_by uuid,
    acked_by_key uuid,
    acked_via text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE SET NULL (rule_id)
) PARTITION BY RANGE (id);
CREATE INDEX notifications_rule ON tocsin.notifications (project_id, rule_id) WHERE rule_id IS NOT NULL;
-- Keyed by the notification, whose id carries the time, so it needs no id of its own.
CREATE TABLE tocsin.notification_recipients (
    project_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    user_id uuid NOT NULL,
    env text NOT NULL,
    feed_seq bigint NOT NULL,
    reason text NOT NULL,
    seen_at timestamptz,
    read_at timestamptz,
    acked_at timestamptz,
    acked_via text,
    PRIMARY KEY (project_id, notification_id, user_id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
) PARTITION BY RANGE (notification_id);
CREATE INDEX notification_recipients_feed
    ON tocsin.notification_recipients (project_id, user_id, env, feed_seq);
-- How far each person's feed has counted; raised in the transaction that writes the recipient.
CREATE TABLE tocsin.feeds (
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    env text NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (project_id, user_id, env),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE TABLE tocsin.deliveries (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL,
    notification_id uuid,
    user_id uuid,
    destination_id uuid,
    channel text NOT NULL,
    connection_project uuid,
    connection_id uuid,
    connection_reason text,
    address text,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'leased', 'sent', 'delivered', 'read',
        'held', 'gathered', 'failed', 'suppressed', 'dropped', 'captured', 'cancelled')),
    ready boolean NOT NULL DEFAULT true,
    rank smallint NOT NULL,
    due_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    crashes smallint NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    provider_message_id text,
    captured json,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    delivered_at timestamptz,
    read_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (project_id, id),
    CHECK (connection_project IN (project_id, '00000000-0000-7000-8000-000000000000')),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE SET NULL (user_id),
    FOREIGN KEY (project_id, destination_id)
        REFERENCES tocsin.destinations (project_id, id) ON DELETE SET NULL (destination_id),
    FOREIGN KEY (connection_project, connection_id)
        REFERENCES tocsin.connections (project_id, id) ON DELETE SET NULL (connection_id)
) PARTITION BY RANGE (id);
CREATE INDEX deliveries_notification ON tocsin.deliveries (project_id, notification_id);
CREATE INDEX deliveries_user ON tocsin.deliveries (project_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX deliveries_destination ON tocsin.deliveries (project_id, destination_id)
    WHERE destination_id IS NOT NULL;
CREATE INDEX deliveries_connection ON tocsin.deliveries (connection_project, connection_id)
    WHERE connection_id IS NOT NULL;
CREATE INDEX deliveries_waiting ON tocsin.deliveries (project_id, rank, id) WHERE state = 'queued' AND ready;
CREATE INDEX deliveries_due ON tocsin.deliveries (due_at) WHERE state = 'queued' AND NOT ready;
CREATE INDEX deliveries_leased ON tocsin.deliveries (lease_until) WHERE state = 'leased';
CREATE TABLE tocsin.attempts (
    project_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    env text NOT NULL,
    connection_id uuid,
    outcome text NOT NULL,
    status integer,
    answer text,
    error text,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    next_due_at timestamptz,
    PRIMARY KEY (project_id, delivery_id, number)
) PARTITION BY RANGE (delivery_id);
CREATE TABLE tocsin.idempotency_records (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL,
    actor text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    response text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, env, actor, route, key)
);
CREATE INDEX idempotency_records_age ON tocsin.idempotency_records (created_at);
CREATE TABLE tocsin.used_tokens (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL,
    jti text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, env, jti)
);
CREATE INDEX used_tokens_age ON tocsin.used_tokens (expires_at);
"""

# A month of a table is one partition, named by it, bounded by the smallest UUIDv7 of its first moment.
# The default partition keeps a row whose clock was far off rather than refusing an event.
PARTITIONS = """
CREATE FUNCTION tocsin.first_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.rpad(pg_catalog.lpad(pg_catalog.to_hex(
        (extract(epoch FROM moment) * 1000)::bigint), 12, '0'), 32, '0')::uuid;
CREATE FUNCTION tocsin.ensure_partitions(first_month date, months integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    parent text;
    child text;
    month timestamptz;
    made integer := 0;
BEGIN
    FOREACH parent IN ARRAY ARRAY['events', 'notifications', 'notification_recipients', 'deliveries', 'attempts'] LOOP
        FOR n IN 0 .. months - 1 LOOP
            month := (pg_catalog.date_trunc('month', first_month::timestamp) + pg_catalog.make_interval(months => n))
                AT TIME ZONE 'UTC';
            child := parent || '_' || pg_catalog.to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
            IF pg_catalog.to_regclass('tocsin.' || child) IS NULL THEN
                EXECUTE pg_catalog.format('CREATE TABLE tocsin.%I PARTITION OF tocsin.%I FOR VALUES FROM (%L) TO (%L)',
                    child, parent, tocsin.first_id_at(month),
                    tocsin.first_id_at(month + pg_catalog.make_interval(months => 1)));
                EXECUTE pg_catalog.format('ALTER TABLE tocsin.%I ENABLE ROW LEVEL SECURITY', child);
                EXECUTE pg_catalog.format('ALTER TABLE tocsin.%I FORCE ROW LEVEL SECURITY', child);
                made := made + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
REVOKE ALL ON FUNCTION tocsin.ensure_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.ensure_partitions TO {app};
"""


def walls() -> list[str]:
    """Row-level security of every table; children of partitioned tables have it too, and no grant."""
    statements = []
    for table in PARTITIONED:
        statements.append(f"CREATE TABLE tocsin.{table}_other PARTITION OF tocsin.{table} DEFAULT;")
        statements += forced(f"{table}_other")
    statements.append("SELECT tocsin.ensure_partitions((now() - interval '1 month')::date, 5);")
    statements += walled("projects", "project")
    for table in ACCOUNT:
        statements += walled(table, "account")
    for table in CONFIG:
        statements += walled(table, "config")
    for table in TRAFFIC:
        statements += walled(table, "traffic")
    for table in (*QUEUE, "projects", "api_keys", "users", "revocations", "idempotency_records", "used_tokens"):
        statements.append(for_pipeline(table))
    return statements


# Column by column: the owner of the cross-project functions never reads a payload or a message.
PIPELINE_GRANTS = """
GRANT USAGE ON SEQUENCE tocsin.realtime_app_ids TO {app};
GRANT SELECT (project_id, id, env, state, received_at, lease_token, lease_until, claims),
    INSERT (project_id, id, env, type, payload, source, client_event_id, client_timestamp),
    UPDATE (state, outcome, processed_at, lease_token, lease_until, claims) ON tocsin.events TO {pipeline};
GRANT SELECT, INSERT, UPDATE, DELETE ON tocsin.event_keys TO {pipeline};
GRANT SELECT (project_id, env, actor, route, key, created_at), UPDATE (created_at), DELETE
    ON tocsin.idempotency_records TO {pipeline};
GRANT SELECT, UPDATE (expires_at), DELETE ON tocsin.used_tokens TO {pipeline};
GRANT SELECT (project_id, id, env, state, ready, rank, due_at, lease_token, lease_until, crashes),
    UPDATE (state, ready, lease_token, lease_until, crashes, last_error, finished_at)
    ON tocsin.deliveries TO {pipeline};
GRANT SELECT (id, slug, name, status) ON tocsin.projects TO {pipeline};
GRANT SELECT (project_id, id, env, key, secret_mac, secret_hash, previous_mac, previous_hash, previous_until,
    permissions, status, allowed_ips, rate_limit, expires_at) ON tocsin.api_keys TO {pipeline};
GRANT SELECT (project_id, id, env, email, password_hash, status) ON tocsin.users TO {pipeline};
GRANT SELECT, UPDATE (at), DELETE ON tocsin.revocations TO {pipeline};
"""

LOOKUPS = """
CREATE FUNCTION tocsin.find_api_key(wanted text) RETURNS TABLE (
    project_id uuid, id uuid, env text, secret_mac bytea, secret_hash text, previous_mac bytea,
    previous_hash text, previous_until timestamptz, permissions text[], status text, allowed_ips text[],
    rate_limit json, expires_at timestamptz, project_slug text, project_status text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT k.project_id, k.id, k.env, k.secret_mac, k.secret_hash, k.previous_mac, k.previous_hash,
        k.previous_until, k.permissions, k.status, k.allowed_ips, k.rate_limit, k.expires_at, p.slug, p.status
    FROM tocsin.api_keys k JOIN tocsin.projects p ON p.id = k.project_id
    WHERE k.key = wanted
$$;
CREATE FUNCTION tocsin.find_logins(wanted text) RETURNS TABLE (
    project_id uuid, project_slug text, project_name text, project_status text, user_id uuid, env text,
    password_hash text, status text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT u.project_id, p.slug, p.name, p.status, u.id, u.env, u.password_hash, u.status
    FROM tocsin.users u JOIN tocsin.projects p ON p.id = u.project_id
    WHERE u.email = wanted AND u.password_hash IS NOT NULL
    ORDER BY u.project_id LIMIT 50
$$;
CREATE FUNCTION tocsin.find_project(wanted text) RETURNS TABLE (project_id uuid, slug text, status text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT id, slug, status FROM tocsin.projects WHERE slug = wanted
$$;
CREATE FUNCTION tocsin.recent_revocations(seconds integer)
    RETURNS TABLE (project_id uuid, kind text, ref text, at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT project_id, kind, ref, at FROM tocsin.revocations
    WHERE at > pg_catalog.clock_timestamp() - pg_catalog.make_interval(secs => seconds)
$$;
REVOKE ALL ON FUNCTION tocsin.find_api_key, tocsin.find_logins, tocsin.find_project, tocsin.recent_revocations
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_api_key, tocsin.find_logins, tocsin.find_project,
    tocsin.recent_revocations TO {app};
"""

# Keys first, events second, answers third: three statements, so that the third sees a key that another
# transaction committed while the first one waited for it.
INGEST = """
CREATE FUNCTION tocsin.ingest_events(
    projects uuid[], envs text[], ids uuid[], types text[], payloads text[], sources text[],
    client_ids text[], client_times timestamptz[], hashes bytea[])
    RETURNS TABLE (ord bigint, event_id uuid, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    kept uuid[];
    lost uuid[];
BEGIN
    IF EXISTS (SELECT 1 FROM unnest(client_ids) AS c (k) WHERE k IS NOT NULL) THEN
        WITH taken AS (
            INSERT INTO tocsin.event_keys (project_id, env, client_event_id, event_id, body_hash)
            SELECT DISTINCT ON (s.project_id, s.env, s.client_event_id)
                s.project_id, s.env, s.client_event_id, s.id, s.hash
            FROM unnest(projects, envs, client_ids, ids, hashes)
                AS s (project_id, env, client_event_id, id, hash)
            WHERE s.client_event_id IS NOT NULL
            ORDER BY s.project_id, s.env, s.client_event_id, s.id
            ON CONFLICT DO NOTHING
            RETURNING event_keys.event_id
        )
        SELECT pg_catalog.array_agg(t.event_id) INTO kept FROM taken t;
        -- EXCEPT hashes; an anti-join over arrays of unknown length was planned as nested loops, 40 ms for 1,000 events.
        SELECT pg_catalog.array_agg(l.id) INTO lost FROM (
            SELECT s.id FROM unnest(ids, client_ids) AS s (id, client_event_id) WHERE s.client_event_id IS NOT NULL
            EXCEPT SELECT k.id FROM unnest(kept) AS k (id)) l;
    END IF;
    INSERT INTO tocsin.events
        (project_id, id, env, type, payload, source, client_event_id, client_timestamp)
    SELECT s.project_id, s.id, s.env, s.type, s.payload::json, s.source, s.client_event_id, s.client_timestamp
    FROM unnest(projects, ids, envs, types, payloads, sources, client_ids, client_times)
        AS s (project_id, id, env, type, payload, source, client_event_id, client_timestamp)
    WHERE lost IS NULL OR s.id <> ALL (lost);
    IF lost IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT s.ord, k.event_id, CASE WHEN k.body_hash = s.hash THEN 'duplicate' ELSE 'conflict' END
    FROM unnest(projects, envs, client_ids, ids, hashes) WITH ORDINALITY
        AS s (project_id, env, client_event_id, id, hash, ord)
    JOIN tocsin.event_keys k ON k.project_id = s.project_id AND k.env = s.env
        AND k.client_event_id = s.client_event_id
    WHERE s.id = ANY (lost);
END $$;
REVOKE ALL ON FUNCTION tocsin.ingest_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.ingest_events TO {app};
"""

# Projects with work are found by stepping through the index from one to the next, so the cost follows
# their number and not the number of waiting rows, and no table of "who has work" can be wrong.
QUEUES = """
CREATE FUNCTION tocsin.claim_events(
    after uuid, most_projects integer, most_each integer, lease_seconds integer, token uuid)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH RECURSIVE waiting AS (
        (SELECT e.project_id FROM tocsin.events e
         WHERE e.state = 'received' AND e.claims = 0 AND e.project_id > after ORDER BY e.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.project_id FROM tocsin.events e
                WHERE e.state = 'received' AND e.claims = 0 AND e.project_id > w.project_id
                ORDER BY e.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id FROM waiting w WHERE w.project_id IS NOT NULL LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, e.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.events q
            WHERE q.project_id = t.project_id AND q.state = 'received' AND q.claims = 0
            ORDER BY q.id LIMIT most_each FOR UPDATE SKIP LOCKED) e
    )
    UPDATE tocsin.events e
    SET state = 'leased', lease_token = token, claims = e.claims + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE e.project_id = p.project_id AND e.id = p.id
    RETURNING e.project_id, e.env, e.id
$$;
-- An event that a process ended over is claimed alone from then on: what ends the next one is then known,
-- and those that were merely claimed with it are not set aside for its sake.
CREATE FUNCTION tocsin.claim_suspect_event(lease_seconds integer, token uuid)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH picked AS MATERIALIZED (
        SELECT q.project_id, q.id FROM tocsin.events q WHERE q.state = 'received' AND q.claims > 0
        ORDER BY q.id LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE tocsin.events e
    SET state = 'leased', lease_token = token, claims = e.claims + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE e.project_id = p.project_id AND e.id = p.id
    RETURNING e.project_id, e.env, e.id
$$;
CREATE FUNCTION tocsin.claim_deliveries(
    after uuid, most_projects integer, most_each integer, most integer, lease_seconds integer, token uuid,
    busy uuid[], rooms integer[])
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH RECURSIVE waiting AS (
        (SELECT d.project_id FROM tocsin.deliveries d
         WHERE d.state = 'queued' AND d.ready AND d.project_id > after ORDER BY d.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT d.project_id FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND d.ready AND d.project_id > w.project_id
                ORDER BY d.project_id LIMIT 1)
        FROM waiting w WHERE w.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT w.project_id, COALESCE(r.room, most_each) AS room
        FROM waiting w LEFT JOIN unnest(busy, rooms) AS r (project_id, room) USING (project_id)
        WHERE w.project_id IS NOT NULL AND COALESCE(r.room, most_each) > 0 LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, d.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.deliveries q
            WHERE q.project_id = t.project_id AND q.state = 'queued' AND q.ready
            ORDER BY q.rank, q.id LIMIT LEAST(t.room, most_each) FOR UPDATE SKIP LOCKED) d
        LIMIT most
    )
    UPDATE tocsin.deliveries d
    SET state = 'leased', lease_token = token, crashes = d.crashes + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM picked p WHERE d.project_id = p.project_id AND d.id = p.id
    RETURNING d.project_id, d.env, d.id
$$;
CREATE FUNCTION tocsin.ready_due_deliveries(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS (
        SELECT d.project_id, d.id FROM tocsin.deliveries d
        WHERE d.state = 'queued' AND NOT d.ready AND d.due_at <= pg_catalog.now()
        ORDER BY d.due_at LIMIT most FOR UPDATE SKIP LOCKED
    ), readied AS (
        UPDATE tocsin.deliveries d SET ready = true FROM due
        WHERE d.project_id = due.project_id AND d.id = due.id RETURNING 1
    )
    SELECT count(*) FROM readied
$$;
-- A lease that ran out belonged to a process that died or hung. After most_claims of an event, or most_crashes
-- of a delivery in a row, that is taken to be its own doing: it is set aside, visible, instead of killing another.
CREATE FUNCTION tocsin.release_expired(most integer, most_claims integer, most_crashes integer) RETURNS TABLE (kind text, rows bigint)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH late_events AS (
        SELECT e.project_id, e.id FROM tocsin.events e
        WHERE e.state = 'leased' AND e.lease_until < pg_catalog.now() LIMIT most FOR UPDATE SKIP LOCKED
    ), freed_events AS (
        UPDATE tocsin.events e
        SET state = CASE WHEN e.claims < most_claims THEN 'received' ELSE 'failed' END,
            outcome = CASE WHEN e.claims < most_claims THEN NULL ELSE 'poison' END,
            processed_at = CASE WHEN e.claims < most_claims THEN NULL ELSE pg_catalog.now() END,
            lease_token = NULL, lease_until = NULL
        FROM late_events l WHERE e.project_id = l.project_id AND e.id = l.id RETURNING 1
    ), late_deliveries AS (
        SELECT d.project_id, d.id FROM tocsin.deliveries d
        WHERE d.state = 'leased' AND d.lease_until < pg_catalog.now() LIMIT most FOR UPDATE SKIP LOCKED
    ), freed_deliveries AS (
        UPDATE tocsin.deliveries d
        SET state = CASE WHEN d.crashes < most_crashes THEN 'queued' ELSE 'failed' END,
            last_error = CASE WHEN d.crashes < most_crashes THEN 'the process that was sending it ended'
                ELSE 'quarantined: the process that was sending it ended each time' END,
            finished_at = CASE WHEN d.crashes < most_crashes THEN NULL ELSE pg_catalog.now() END,
            ready = true, lease_token = NULL, lease_until = NULL
        FROM late_deliveries l WHERE d.project_id = l.project_id AND d.id = l.id RETURNING 1
    )
    SELECT 'events', count(*) FROM freed_events UNION ALL SELECT 'deliveries', count(*) FROM freed_deliveries
$$;
-- What was only kept for a while: dedupe keys 30 days, answers of an Idempotency-Key 24 hours, used tokens until
-- they expire, revocations until every process has long read them.
CREATE FUNCTION tocsin.tidy(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH event_keys AS (
        DELETE FROM tocsin.event_keys WHERE (project_id, env, client_event_id) IN (
            SELECT project_id, env, client_event_id FROM tocsin.event_keys
            WHERE created_at < pg_catalog.now() - interval '30 days' ORDER BY created_at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    ), answers AS (
        DELETE FROM tocsin.idempotency_records WHERE (project_id, env, actor, route, key) IN (
            SELECT project_id, env, actor, route, key FROM tocsin.idempotency_records
            WHERE created_at < pg_catalog.now() - interval '24 hours' ORDER BY created_at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    ), tokens AS (
        DELETE FROM tocsin.used_tokens WHERE (project_id, env, jti) IN (
            SELECT project_id, env, jti FROM tocsin.used_tokens
            WHERE expires_at < pg_catalog.now() - interval '1 hour' ORDER BY expires_at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    ), revocations AS (
        DELETE FROM tocsin.revocations WHERE (project_id, id) IN (
            SELECT project_id, id FROM tocsin.revocations
            WHERE at < pg_catalog.now() - interval '1 hour' ORDER BY at LIMIT most
            FOR UPDATE SKIP LOCKED) RETURNING 1
    )
    SELECT (SELECT count(*) FROM event_keys) + (SELECT count(*) FROM answers)
        + (SELECT count(*) FROM tokens) + (SELECT count(*) FROM revocations)
$$;
REVOKE ALL ON FUNCTION tocsin.claim_events, tocsin.claim_suspect_event, tocsin.claim_deliveries,
    tocsin.ready_due_deliveries, tocsin.release_expired, tocsin.tidy FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_events, tocsin.claim_suspect_event, tocsin.claim_deliveries,
    tocsin.ready_due_deliveries, tocsin.release_expired, tocsin.tidy TO {app};
"""

PLATFORM = """
INSERT INTO tocsin.projects (id, name, slug, plan)
VALUES ('00000000-0000-7000-8000-000000000000', 'Platform', 'platform', 'enterprise');
"""
