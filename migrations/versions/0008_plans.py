"""Plans, quotas counted exactly, usage by hour, and an end to what the sandbox keeps (Q1-Q4, Q6, A2)."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0008"
down_revision = "0007"

ACCOUNT = ("plans", "quota_counters", "quota_notices", "usage_marks")
TRAFFIC = ("usage_hours", "active_users")


def upgrade() -> None:
    as_owner(PURE)
    as_owner(TABLES)
    as_owner("\n".join(walls()))
    as_owner(GRANTS)
    as_owner(CATALOGUE)
    as_owner(MOVES)
    as_pipeline(ENTITLEMENTS)
    as_pipeline(COUNTING)
    as_pipeline(INGEST)
    as_pipeline(USAGE)
    as_pipeline(SANDBOX)


# Nothing here reads a table. The moment of a row is that of its id, so a month of rows is a range of ids, and what
# is counted and what is there can be compared without a doubt at midnight.
PURE = """
CREATE FUNCTION tocsin.id_time(id uuid) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.to_timestamp(('x0000' || pg_catalog.substr(id::text, 1, 8) || pg_catalog.substr(id::text, 10, 4))
        ::bit(64)::bigint / 1000.0);
CREATE FUNCTION tocsin.quota_period(quota text, moment timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN pg_catalog.date_trunc(CASE quota WHEN 'sandboxEventsPerDay' THEN 'day' ELSE 'month' END,
        moment AT TIME ZONE 'UTC')::date;
CREATE FUNCTION tocsin.sound_overrides(overrides json) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN overrides IS NULL OR (pg_catalog.json_typeof(overrides) = 'object'
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.quotas.* ? (@ != null && (@.type() != "number" || @ < 0 || @ > 1000000000000000 || @ % 1 != 0))',
            silent => true)
        AND NOT pg_catalog.jsonb_path_exists(overrides::jsonb,
            'strict $.features.* ? (@.type() != "boolean")', silent => true));
"""

TABLES = """
CREATE TABLE tocsin.plans (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    name text NOT NULL,
    position integer NOT NULL,
    label text NOT NULL,
    monthly_price_cents bigint,
    quotas json NOT NULL DEFAULT '{{}}',
    features text[] NOT NULL DEFAULT '{{}}',
    overage boolean NOT NULL DEFAULT false,
    grace_days integer NOT NULL DEFAULT 7,
    support text NOT NULL,
    PRIMARY KEY (project_id, name)
);
ALTER TABLE tocsin.projects ADD CONSTRAINT projects_overrides_sound CHECK (tocsin.sound_overrides(overrides));
-- A row is a lock as much as a figure: who raises it holds it until the rows it counts are committed.
CREATE TABLE tocsin.quota_counters (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    quota text NOT NULL,
    period date NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (project_id, quota, period)
);
CREATE TABLE tocsin.quota_notices (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    quota text NOT NULL,
    period date NOT NULL,
    percent integer NOT NULL,
    allowed bigint NOT NULL,
    used bigint NOT NULL,
    reached_at timestamptz NOT NULL DEFAULT now(),
    told_at timestamptz,
    PRIMARY KEY (project_id, quota, period, percent, allowed)
);
CREATE INDEX quota_notices_untold ON tocsin.quota_notices (reached_at) WHERE told_at IS NULL;
CREATE TABLE tocsin.usage_hours (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL,
    hour timestamptz NOT NULL,
    events_received bigint NOT NULL DEFAULT 0,
    notifications_made bigint NOT NULL DEFAULT 0,
    notifications_over_quota bigint NOT NULL DEFAULT 0,
    acknowledged bigint NOT NULL DEFAULT 0,
    notifications_sent bigint NOT NULL DEFAULT 0,
    notifications_delivered bigint NOT NULL DEFAULT 0,
    notifications_failed bigint NOT NULL DEFAULT 0,
    webhooks_sent bigint NOT NULL DEFAULT 0,
    webhooks_succeeded bigint NOT NULL DEFAULT 0,
    latency bigint[] NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (project_id, env, hour)
);
CREATE TABLE tocsin.usage_marks (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    counted_until timestamptz NOT NULL,
    PRIMARY KEY (project_id)
);
CREATE TABLE tocsin.active_users (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL,
    day date NOT NULL,
    user_id uuid NOT NULL,
    PRIMARY KEY (project_id, env, day, user_id)
);
CREATE INDEX sessions_used ON tocsin.sessions (project_id, last_used_at);
-- Tocsin's own occurrences are no events of the client's: they count towards nothing and are never refused.
ALTER TABLE tocsin.events ADD COLUMN internal boolean NOT NULL DEFAULT false;
ALTER TABLE tocsin.notifications ADD COLUMN internal boolean NOT NULL DEFAULT false;
ALTER TABLE tocsin.notifications ADD COLUMN over_quota boolean NOT NULL DEFAULT false;
-- The sandbox keeps its traffic for seven days; live rows do not pay for finding it.
CREATE INDEX events_sandbox ON tocsin.events (id) WHERE env = 'test';
CREATE INDEX notifications_sandbox ON tocsin.notifications (id) WHERE env = 'test';
CREATE INDEX notification_recipients_sandbox ON tocsin.notification_recipients (notification_id) WHERE env = 'test';
CREATE INDEX deliveries_sandbox ON tocsin.deliveries (id) WHERE env = 'test';
CREATE INDEX attempts_sandbox ON tocsin.attempts (delivery_id) WHERE env = 'test';
"""


def walls() -> list[str]:
    statements = []
    for table in ACCOUNT:
        statements += walled(table, "account")
    for table in TRAFFIC:
        statements += walled(table, "traffic")
    for table in (*ACCOUNT, *TRAFFIC, "notifications", "sessions"):
        statements.append(for_pipeline(table))
    return statements


GRANTS = """
GRANT SELECT ON tocsin.plans TO {pipeline};
GRANT SELECT (plan, overrides, created_at) ON tocsin.projects TO {pipeline};
GRANT INSERT ON tocsin.revocations TO {pipeline};
GRANT SELECT, INSERT, UPDATE, DELETE ON tocsin.quota_counters TO {pipeline};
GRANT SELECT, INSERT ON tocsin.quota_notices TO {pipeline};
GRANT SELECT, INSERT, UPDATE ON tocsin.usage_hours, tocsin.usage_marks TO {pipeline};
GRANT SELECT, INSERT ON tocsin.active_users TO {pipeline};
GRANT SELECT (internal) ON tocsin.events TO {pipeline};
GRANT SELECT (project_id, id, env, acked_at, internal, over_quota) ON tocsin.notifications TO {pipeline};
GRANT SELECT (channel, attempts, created_at, sent_at, delivered_at) ON tocsin.deliveries TO {pipeline};
GRANT SELECT (project_id, user_id, last_used_at) ON tocsin.sessions TO {pipeline};
"""

# The first catalogue (spec, section 10). A missing or null quota is unlimited, 0 is none at all.
CATALOGUE = """
INSERT INTO tocsin.plans (project_id, name, position, label, monthly_price_cents, quotas, features, support)
SELECT '00000000-0000-7000-8000-000000000000', p.name, p.position, p.label, p.price, p.quotas::json, p.features, p.support
FROM (VALUES
    ('free', 1, 'Free', 0,
        '{{"events": 1000, "notifications": 5000, "messages": 1000, "users": 100, "teamMembers": 5, "rules": 5,
           "sounds": 3, "campaigns": 10, "bots": 1, "webhooks": 0, "apiCallsPerHour": 1000, "storageBytes": 50000000,
           "sandboxEventsPerDay": 10000}}',
        ARRAY['eventApi', 'rules', 'inbox'], 'community'),
    ('starter', 2, 'Starter', 4900,
        '{{"events": 50000, "notifications": 100000, "messages": 10000, "users": 1000, "teamMembers": 20, "rules": 25,
           "sounds": 10, "campaigns": 50, "bots": 5, "webhooks": 5, "apiCallsPerHour": 10000,
           "storageBytes": 1000000000, "sandboxEventsPerDay": 10000}}',
        ARRAY['eventApi', 'rules', 'inbox', 'webhooks', 'automation'], 'e-mail'),
    ('professional', 3, 'Professional', 19900,
        '{{"events": 500000, "notifications": 1000000, "messages": 50000, "users": 10000, "teamMembers": 100,
           "rules": 100, "sounds": 50, "campaigns": 200, "bots": 25, "webhooks": 25, "apiCallsPerHour": 100000,
           "storageBytes": 10000000000, "sandboxEventsPerDay": 10000}}',
        ARRAY['eventApi', 'rules', 'inbox', 'webhooks', 'automation', 'abTests', 'customReports', 'languages',
            'customDomain'], 'priority'),
    ('enterprise', 4, 'Enterprise', NULL,
        '{{"events": null, "notifications": null, "messages": null, "users": null, "teamMembers": null, "rules": null,
           "sounds": null, "campaigns": null, "bots": null, "webhooks": null, "apiCallsPerHour": null,
           "storageBytes": null, "sandboxEventsPerDay": 10000}}',
        ARRAY['eventApi', 'rules', 'inbox', 'webhooks', 'automation', 'abTests', 'customReports', 'languages',
            'customDomain', 'whiteLabel', 'customIntegrations', 'keyIpLists', 'aiSuggestions', 'sla'],
        'dedicated')
) AS p (name, position, label, price, quotas, features, support);
"""

# A project without limits is not counted at its door. What its counters said before it had limits again would be too
# little, so a change of plan or overrides forgets them, and the next event counts the rows there are. Processes
# forget, within a second, the rates they know of its keys.
MOVES = """
CREATE FUNCTION tocsin.forget_counters_of_moved() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    DELETE FROM tocsin.quota_counters c WHERE c.project_id = NEW.id
        AND c.period >= tocsin.quota_period(c.quota, pg_catalog.now());
    INSERT INTO tocsin.revocations (project_id, id, kind, ref)
    VALUES (NEW.id, pg_catalog.gen_random_uuid(), 'project', NEW.id::text);
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION tocsin.forget_counters_of_moved FROM PUBLIC;
CREATE TRIGGER moved AFTER UPDATE OF plan, overrides ON tocsin.projects FOR EACH ROW
    WHEN (OLD.plan IS DISTINCT FROM NEW.plan OR OLD.overrides::text IS DISTINCT FROM NEW.overrides::text)
    EXECUTE FUNCTION tocsin.forget_counters_of_moved();
"""

# What a project may: its plan, and its overrides over that. A plan that is not in the catalogue limits nothing.
ENTITLEMENTS = """
CREATE FUNCTION tocsin.entitlements(wanted uuid[]) RETURNS TABLE (
    project_id uuid, plan text, quotas jsonb, features text[], overage boolean, grace_days integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.id, p.plan,
        COALESCE(l.quotas::jsonb, '{{}}') || COALESCE(p.overrides::jsonb->'quotas', '{{}}'),
        CASE WHEN p.overrides->'features' IS NULL THEN COALESCE(l.features, '{{}}') ELSE ARRAY(
            SELECT f.name FROM pg_catalog.unnest(l.features) AS f (name)
            WHERE COALESCE((p.overrides->'features'->>f.name)::boolean, true)
            UNION SELECT o.key FROM pg_catalog.json_each_text(p.overrides->'features') o WHERE o.value = 'true') END,
        COALESCE((p.overrides->>'overage')::boolean, l.overage, false), COALESCE(l.grace_days, 0)
    FROM tocsin.projects p
    LEFT JOIN tocsin.plans l ON l.project_id = '00000000-0000-7000-8000-000000000000' AND l.name = p.plan
    WHERE p.id = ANY (wanted)
$$;
CREATE FUNCTION tocsin.plan_catalogue() RETURNS SETOF tocsin.plans
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT * FROM tocsin.plans WHERE project_id = '00000000-0000-7000-8000-000000000000' ORDER BY position, name
$$;
CREATE FUNCTION tocsin.plans_in_use() RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT plan FROM tocsin.projects ORDER BY plan
$$;
CREATE OR REPLACE FUNCTION tocsin.calls_per_hour(of_project uuid) RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT (e.quotas->>'apiCallsPerHour')::bigint FROM tocsin.entitlements(ARRAY[of_project]) e
$$;
REVOKE ALL ON FUNCTION tocsin.entitlements, tocsin.plan_catalogue, tocsin.plans_in_use FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.entitlements, tocsin.plan_catalogue, tocsin.plans_in_use TO {app};
"""

# Two statements under READ COMMITTED: the first locks, the second sees what the lock waited for. Counters are locked
# in one order, before anything else of a transaction.
COUNTING = """
CREATE FUNCTION tocsin.hold_quotas(projects uuid[], quotas text[], periods date[]) RETURNS TABLE (
    project_id uuid, quota text, period date, used bigint, allowed bigint, overage boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    p uuid[];
    q text[];
    d date[];
    u bigint[];
    a bigint[];
    o boolean[];
BEGIN
    SELECT pg_catalog.array_agg(w.project_id), pg_catalog.array_agg(w.quota), pg_catalog.array_agg(w.period),
        pg_catalog.array_agg(w.allowed), pg_catalog.array_agg(w.overage) INTO p, q, d, a, o
    FROM (SELECT w.project_id, w.quota, w.period, (e.quotas->>w.quota)::bigint AS allowed,
            e.overage AND w.quota <> 'sandboxEventsPerDay' AS overage
        FROM unnest(projects, quotas, periods) AS w (project_id, quota, period)
        JOIN tocsin.entitlements(projects) e ON e.project_id = w.project_id
        WHERE e.quotas->>w.quota IS NOT NULL
        ORDER BY w.project_id, w.quota, w.period) w;
    -- Nothing is limited: no lock, no row.
    IF p IS NULL THEN
        RETURN;
    END IF;
    LOOP
        INSERT INTO tocsin.quota_counters (project_id, quota, period, used)
        SELECT w.project_id, w.quota, w.period, CASE w.quota
            WHEN 'events' THEN (SELECT count(*) FROM tocsin.events e
                WHERE e.project_id = w.project_id AND e.env = 'live' AND NOT e.internal
                    AND e.id >= tocsin.first_id_at(w.period::timestamp AT TIME ZONE 'UTC')
                    AND e.id < tocsin.first_id_at((w.period + interval '1 month') AT TIME ZONE 'UTC'))
            WHEN 'sandboxEventsPerDay' THEN (SELECT count(*) FROM tocsin.events e
                WHERE e.project_id = w.project_id AND e.env = 'test' AND NOT e.internal
                    AND e.id >= tocsin.first_id_at(w.period::timestamp AT TIME ZONE 'UTC')
                    AND e.id < tocsin.first_id_at((w.period + interval '1 day') AT TIME ZONE 'UTC'))
            WHEN 'notifications' THEN (SELECT count(*) FROM tocsin.notifications n
                WHERE n.project_id = w.project_id AND n.env = 'live' AND NOT n.internal AND NOT n.over_quota
                    AND n.id >= tocsin.first_id_at(w.period::timestamp AT TIME ZONE 'UTC')
                    AND n.id < tocsin.first_id_at((w.period + interval '1 month') AT TIME ZONE 'UTC'))
            ELSE 0 END
        FROM unnest(p, q, d) AS w (project_id, quota, period)
        WHERE NOT EXISTS (SELECT FROM tocsin.quota_counters c
            WHERE c.project_id = w.project_id AND c.quota = w.quota AND c.period = w.period)
        ORDER BY w.project_id, w.quota, w.period
        ON CONFLICT DO NOTHING;
        SELECT pg_catalog.array_agg(l.used) INTO u FROM (
            SELECT c.used FROM tocsin.quota_counters c JOIN unnest(p, q, d) AS w (project_id, quota, period)
                ON c.project_id = w.project_id AND c.quota = w.quota AND c.period = w.period
            ORDER BY c.project_id, c.quota, c.period FOR UPDATE OF c) l;
        -- Fewer where a change of plan has forgotten one meanwhile.
        EXIT WHEN pg_catalog.cardinality(u) = pg_catalog.cardinality(p);
    END LOOP;
    RETURN QUERY SELECT h.* FROM unnest(p, q, d, u, a, o) AS h (project_id, quota, period, used, allowed, overage);
END $$;
-- Adds to counters that this transaction holds. 80 and 100 percent are noted once, in the transaction that gets there.
CREATE FUNCTION tocsin.spend_quotas(
    projects uuid[], quotas text[], periods date[], amounts bigint[], alloweds bigint[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH spent AS (
        UPDATE tocsin.quota_counters c SET used = c.used + w.amount
        FROM unnest(projects, quotas, periods, amounts, alloweds) AS w (project_id, quota, period, amount, allowed)
        WHERE c.project_id = w.project_id AND c.quota = w.quota AND c.period = w.period
        RETURNING c.project_id, c.quota, c.period, c.used, w.allowed
    )
    INSERT INTO tocsin.quota_notices (project_id, quota, period, percent, allowed, used)
    SELECT s.project_id, s.quota, s.period, t.percent, s.allowed, s.used
    FROM spent s CROSS JOIN (VALUES (80), (100)) AS t (percent)
    WHERE s.quota <> 'sandboxEventsPerDay' AND s.used * 100 >= s.allowed * t.percent
    ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION tocsin.forget_counters(of_plans text[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    DELETE FROM tocsin.quota_counters c USING (
        SELECT k.project_id, k.quota, k.period FROM tocsin.quota_counters k
        JOIN tocsin.projects p ON p.id = k.project_id AND p.plan = ANY (of_plans)
        WHERE k.period >= tocsin.quota_period(k.quota, pg_catalog.now())
        ORDER BY k.project_id, k.quota, k.period FOR UPDATE OF k) f
    WHERE c.project_id = f.project_id AND c.quota = f.quota AND c.period = f.period;
    INSERT INTO tocsin.revocations (project_id, id, kind, ref)
    SELECT p.id, pg_catalog.gen_random_uuid(), 'project', p.id::text FROM tocsin.projects p WHERE p.plan = ANY (of_plans)
$$;
CREATE FUNCTION tocsin.untold_notices(most integer) RETURNS SETOF tocsin.quota_notices
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT * FROM tocsin.quota_notices WHERE told_at IS NULL ORDER BY reached_at LIMIT most
$$;
REVOKE ALL ON FUNCTION tocsin.hold_quotas, tocsin.spend_quotas, tocsin.forget_counters, tocsin.untold_notices
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.hold_quotas, tocsin.spend_quotas, tocsin.forget_counters, tocsin.untold_notices
    TO {app};
"""

# As in 0001, and between the keys and the events: of what is new, no more than the quotas leave. Keys are won first,
# so that no place is kept for an event that turns out to be a repeat; those of refused events are given back.
INGEST = """
CREATE FUNCTION tocsin.hold_events(projects uuid[], envs text[], ids uuid[]) RETURNS TABLE (
    project_id uuid, quota text, period date, used bigint, allowed bigint, overage boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    p uuid[];
    q text[];
    d date[];
BEGIN
    WITH senders AS MATERIALIZED (
        SELECT DISTINCT s.project_id, s.env FROM unnest(projects, envs) AS s (project_id, env)
    ), limited AS MATERIALIZED (
        SELECT s.project_id, s.env, k.quota FROM senders s
        JOIN tocsin.entitlements(ARRAY(SELECT DISTINCT project_id FROM senders)) e ON e.project_id = s.project_id
        CROSS JOIN LATERAL (SELECT CASE s.env WHEN 'test' THEN 'sandboxEventsPerDay' ELSE 'events' END) AS k (quota)
        WHERE e.quotas->>k.quota IS NOT NULL
    ), wanted AS (
        SELECT DISTINCT l.project_id, l.quota, tocsin.quota_period(l.quota, tocsin.id_time(s.id)) AS period
        FROM limited l JOIN unnest(projects, envs, ids) AS s (project_id, env, id)
            ON s.project_id = l.project_id AND s.env = l.env
    )
    SELECT pg_catalog.array_agg(w.project_id), pg_catalog.array_agg(w.quota), pg_catalog.array_agg(w.period)
    INTO p, q, d FROM wanted w;
    IF p IS NOT NULL THEN
        RETURN QUERY SELECT * FROM tocsin.hold_quotas(p, q, d);
    END IF;
END $$;
CREATE FUNCTION tocsin.spend_events(
    projects uuid[], envs text[], ids uuid[], known uuid[],
    held_projects uuid[], held_quotas text[], held_periods date[], held_used bigint[], held_allowed bigint[],
    held_overage boolean[]) RETURNS uuid[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    refused uuid[];
BEGIN
    WITH held AS MATERIALIZED (
        SELECT * FROM unnest(held_projects, held_quotas, held_periods, held_used, held_allowed, held_overage)
            AS h (project_id, quota, period, used, allowed, overage)
    ), fresh AS (
        SELECT s.id, h.project_id, h.quota, h.period, h.allowed, h.overage OR h.used + pg_catalog.row_number()
            OVER (PARTITION BY h.project_id, h.quota, h.period ORDER BY s.ord) <= h.allowed AS fits
        FROM unnest(projects, envs, ids) WITH ORDINALITY AS s (project_id, env, id, ord)
        JOIN held h ON h.project_id = s.project_id
            AND h.quota = CASE s.env WHEN 'test' THEN 'sandboxEventsPerDay' ELSE 'events' END
            AND h.period = tocsin.quota_period(h.quota, tocsin.id_time(s.id))
        WHERE known IS NULL OR s.id <> ALL (known)
    ), sums AS (
        SELECT h.project_id, h.quota, h.period, h.allowed, count(f.id) AS amount
        FROM held h LEFT JOIN fresh f
            ON f.project_id = h.project_id AND f.quota = h.quota AND f.period = h.period AND f.fits
        GROUP BY h.project_id, h.quota, h.period, h.allowed
    ), spent AS (
        SELECT tocsin.spend_quotas(pg_catalog.array_agg(s.project_id), pg_catalog.array_agg(s.quota),
            pg_catalog.array_agg(s.period), pg_catalog.array_agg(s.amount), pg_catalog.array_agg(s.allowed)) FROM sums s
    )
    SELECT (SELECT pg_catalog.array_agg(f.id) FROM fresh f WHERE NOT f.fits) INTO refused FROM spent;
    RETURN refused;
END $$;
REVOKE ALL ON FUNCTION tocsin.hold_events, tocsin.spend_events FROM PUBLIC;
DROP FUNCTION tocsin.ingest_events;
CREATE FUNCTION tocsin.ingest_events(
    projects uuid[], envs text[], ids uuid[], types text[], payloads text[], sources text[],
    client_ids text[], client_times timestamptz[], hashes bytea[], unrepeated boolean, counted boolean)
    RETURNS TABLE (ord bigint, event_id uuid, outcome text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    held record;
    kept uuid[];
    lost uuid[];
    refused uuid[];
BEGIN
    -- Columns come one by one. Of different lengths they would put events into the wrong projects.
    IF pg_catalog.cardinality(projects) <> ANY (ARRAY[pg_catalog.cardinality(envs), pg_catalog.cardinality(ids),
        pg_catalog.cardinality(types), pg_catalog.cardinality(payloads), pg_catalog.cardinality(sources),
        pg_catalog.cardinality(client_ids), pg_catalog.cardinality(client_times), pg_catalog.cardinality(hashes)])
    THEN
        RAISE EXCEPTION 'columns of different lengths' USING ERRCODE = 'data_exception';
    END IF;
    SELECT pg_catalog.array_agg(h.project_id) AS projects, pg_catalog.array_agg(h.quota) AS quotas,
        pg_catalog.array_agg(h.period) AS periods, pg_catalog.array_agg(h.used) AS used,
        pg_catalog.array_agg(h.allowed) AS allowed, pg_catalog.array_agg(h.overage) AS overage
    INTO held FROM tocsin.hold_events(projects, envs, ids) h WHERE counted;
    -- Looking for limits costs as much as storing a few events, so who asked is told where there are none.
    IF counted THEN
        RETURN QUERY SELECT DISTINCT 0::bigint, s.project_id, 'unlimited'
        FROM unnest(projects, envs) AS s (project_id, env)
        WHERE s.env = 'live' AND (held.projects IS NULL OR s.project_id <> ALL (held.projects));
    END IF;
    -- Where no key is a repeat, and nearly none is, a plain insert costs a quarter less than one that looks for conflicts.
    IF unrepeated AND client_ids IS NOT NULL THEN
        BEGIN
            INSERT INTO tocsin.event_keys (project_id, env, client_event_id, event_id, body_hash)
            SELECT s.project_id, s.env, s.client_event_id, s.id, s.hash
            FROM unnest(projects, envs, client_ids, ids, hashes) AS s (project_id, env, client_event_id, id, hash)
            WHERE s.client_event_id IS NOT NULL ORDER BY s.project_id, s.env, s.client_event_id;
        EXCEPTION WHEN unique_violation THEN
            unrepeated := false;
        END;
    END IF;
    IF NOT unrepeated AND EXISTS (SELECT 1 FROM unnest(client_ids) AS c (k) WHERE k IS NOT NULL) THEN
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
    IF held.projects IS NOT NULL THEN
        refused := tocsin.spend_events(projects, envs, ids, lost,
            held.projects, held.quotas, held.periods, held.used, held.allowed, held.overage);
    END IF;
    IF refused IS NOT NULL THEN
        DELETE FROM tocsin.event_keys k
        USING unnest(projects, envs, client_ids, ids) AS s (project_id, env, client_event_id, id)
        WHERE k.project_id = s.project_id AND k.env = s.env AND k.client_event_id = s.client_event_id
            AND k.event_id = s.id AND s.id = ANY (refused);
        lost := lost || refused;
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
    SELECT s.ord, COALESCE(k.event_id, s.id), CASE WHEN k.event_id IS NULL THEN 'quota'
        WHEN k.body_hash = s.hash THEN 'duplicate' ELSE 'conflict' END
    FROM unnest(projects, envs, client_ids, ids, hashes) WITH ORDINALITY
        AS s (project_id, env, client_event_id, id, hash, ord)
    LEFT JOIN tocsin.event_keys k ON k.project_id = s.project_id AND k.env = s.env
        AND k.client_event_id = s.client_event_id
    WHERE s.id = ANY (lost);
END $$;
REVOKE ALL ON FUNCTION tocsin.ingest_events FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.ingest_events TO {app};
"""

# Hours are counted anew as long as they can change, never added to: a step that was cut short, or done twice, or by
# two workers, leaves nothing to mend.
USAGE = """
CREATE FUNCTION tocsin.roll_up_usage(after uuid, most_projects integer, most_hours integer, again timestamptz)
    RETURNS TABLE (last_project uuid, behind boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
#variable_conflict use_column
DECLARE
    this_hour timestamptz := pg_catalog.date_trunc('hour', pg_catalog.now(), 'UTC');
    turn uuid[];
    firsts timestamptz[];
    lasts timestamptz[];
BEGIN
    -- Of two that count the same hour, the one with the older sight of it could write last.
    IF NOT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('tocsin roll_up_usage', 0)) THEN
        RETURN;
    END IF;
    SELECT pg_catalog.array_agg(t.id), pg_catalog.array_agg(t.first),
        pg_catalog.array_agg(LEAST(this_hour, t.first + pg_catalog.make_interval(hours => most_hours)))
    INTO turn, firsts, lasts FROM (
        SELECT p.id, LEAST(this_hour - interval '1 hour', COALESCE(m.counted_until,
            pg_catalog.date_trunc('hour', p.created_at, 'UTC'))) AS first
        FROM tocsin.projects p LEFT JOIN tocsin.usage_marks m ON m.project_id = p.id
        WHERE p.id > after ORDER BY p.id LIMIT most_projects) t;
    IF turn IS NULL THEN
        RETURN;
    END IF;
    WITH spans AS MATERIALIZED (
        SELECT t.project_id, h.hour, tocsin.first_id_at(h.hour) AS low,
            tocsin.first_id_at(h.hour + interval '1 hour') AS high
        FROM unnest(turn, firsts, lasts) AS t (project_id, first, last)
        CROSS JOIN LATERAL (
            SELECT g.hour FROM pg_catalog.generate_series(t.first, t.last, interval '1 hour') AS g (hour)
            UNION SELECT pg_catalog.date_trunc('hour', again, 'UTC') WHERE again IS NOT NULL) h
    ), counted (project_id, hour, env, events, made, over, acknowledged, sent, delivered, failed, hooks, hooks_ok, latency)
    AS (
        SELECT s.project_id, s.hour, c.env, c.n, 0, 0, 0, 0, 0, 0, 0, 0, NULL::bigint[]
        FROM spans s CROSS JOIN LATERAL (
            SELECT e.env, count(*) AS n FROM tocsin.events e
            WHERE e.project_id = s.project_id AND e.id >= s.low AND e.id < s.high AND NOT e.internal GROUP BY e.env) c
        UNION ALL
        SELECT s.project_id, s.hour, c.env, 0, c.made, c.over, c.acknowledged, 0, 0, 0, 0, 0, NULL
        FROM spans s CROSS JOIN LATERAL (
            SELECT n.env, count(*) FILTER (WHERE NOT n.over_quota AND NOT n.internal) AS made,
                count(*) FILTER (WHERE n.over_quota) AS over, count(n.acked_at) AS acknowledged
            FROM tocsin.notifications n
            WHERE n.project_id = s.project_id AND n.id >= s.low AND n.id < s.high GROUP BY n.env) c
        UNION ALL
        SELECT s.project_id, s.hour, c.env, 0, 0, 0, 0, c.sent, c.delivered, c.failed, c.hooks, c.hooks_ok, c.latency
        FROM spans s CROSS JOIN LATERAL (
            SELECT d.env, count(d.sent_at) AS sent,
                count(*) FILTER (WHERE d.delivered_at IS NOT NULL OR d.state = 'read') AS delivered,
                count(*) FILTER (WHERE d.state = 'failed') AS failed,
                count(*) FILTER (WHERE d.channel = 'webhook' AND d.attempts > 0 AND d.state <> 'captured') AS hooks,
                count(d.sent_at) FILTER (WHERE d.channel = 'webhook') AS hooks_ok,
                ARRAY[count(*) FILTER (WHERE w.bucket = 0), count(*) FILTER (WHERE w.bucket = 1),
                    count(*) FILTER (WHERE w.bucket = 2), count(*) FILTER (WHERE w.bucket = 3),
                    count(*) FILTER (WHERE w.bucket = 4), count(*) FILTER (WHERE w.bucket = 5),
                    count(*) FILTER (WHERE w.bucket = 6), count(*) FILTER (WHERE w.bucket = 7)] AS latency
            FROM tocsin.deliveries d CROSS JOIN LATERAL (SELECT CASE WHEN d.sent_at > d.created_at THEN
                pg_catalog.width_bucket(extract(epoch FROM d.sent_at - d.created_at)::float8,
                    ARRAY[0.1, 0.5, 1, 5, 15, 60, 300]::float8[]) END) AS w (bucket)
            WHERE d.project_id = s.project_id AND d.id >= s.low AND d.id < s.high GROUP BY d.env) c
    )
    INSERT INTO tocsin.usage_hours AS u (project_id, hour, env, events_received, notifications_made,
        notifications_over_quota, acknowledged, notifications_sent, notifications_delivered, notifications_failed,
        webhooks_sent, webhooks_succeeded, latency)
    SELECT c.project_id, c.hour, c.env, sum(c.events), sum(c.made), sum(c.over), sum(c.acknowledged), sum(c.sent),
        sum(c.delivered), sum(c.failed), sum(c.hooks), sum(c.hooks_ok), COALESCE(max(c.latency), '{{}}')
    FROM counted c GROUP BY c.project_id, c.hour, c.env ORDER BY c.project_id, c.env, c.hour
    ON CONFLICT (project_id, env, hour) DO UPDATE SET events_received = excluded.events_received,
        notifications_made = excluded.notifications_made,
        notifications_over_quota = excluded.notifications_over_quota, acknowledged = excluded.acknowledged,
        notifications_sent = excluded.notifications_sent, notifications_delivered = excluded.notifications_delivered,
        notifications_failed = excluded.notifications_failed, webhooks_sent = excluded.webhooks_sent,
        webhooks_succeeded = excluded.webhooks_succeeded, latency = excluded.latency;
    INSERT INTO tocsin.active_users (project_id, env, day, user_id)
    SELECT DISTINCT s.project_id, u.env, (s.last_used_at AT TIME ZONE 'UTC')::date, s.user_id
    FROM unnest(turn) AS t (project_id)
    JOIN tocsin.sessions s ON s.project_id = t.project_id
        AND s.last_used_at >= pg_catalog.date_trunc('day', this_hour - interval '1 hour', 'UTC')
    JOIN tocsin.users u ON u.project_id = s.project_id AND u.id = s.user_id
    ON CONFLICT DO NOTHING;
    INSERT INTO tocsin.usage_marks AS m (project_id, counted_until)
    SELECT t.project_id, t.last FROM unnest(turn, lasts) AS t (project_id, last)
    ON CONFLICT (project_id) DO UPDATE SET counted_until = excluded.counted_until
    WHERE m.counted_until IS DISTINCT FROM excluded.counted_until;
    RETURN QUERY SELECT turn[pg_catalog.cardinality(turn)], this_hour > ANY (lasts);
END $$;
CREATE FUNCTION tocsin.usage_of_projects(since timestamptz, until timestamptz, after uuid, most integer)
    RETURNS TABLE (project_id uuid, slug text, name text, plan text, events_received bigint, notifications_made bigint,
        notifications_over_quota bigint, notifications_sent bigint, notifications_delivered bigint,
        notifications_failed bigint, acknowledged bigint, webhooks_sent bigint, webhooks_succeeded bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.id, p.slug, p.name, p.plan, COALESCE(sum(u.events_received), 0)::bigint,
        COALESCE(sum(u.notifications_made), 0)::bigint, COALESCE(sum(u.notifications_over_quota), 0)::bigint,
        COALESCE(sum(u.notifications_sent), 0)::bigint, COALESCE(sum(u.notifications_delivered), 0)::bigint,
        COALESCE(sum(u.notifications_failed), 0)::bigint, COALESCE(sum(u.acknowledged), 0)::bigint,
        COALESCE(sum(u.webhooks_sent), 0)::bigint, COALESCE(sum(u.webhooks_succeeded), 0)::bigint
    FROM (SELECT id, slug, name, plan FROM tocsin.projects
        WHERE id > after AND id <> '00000000-0000-7000-8000-000000000000' ORDER BY id LIMIT most) p
    LEFT JOIN tocsin.usage_hours u
        ON u.project_id = p.id AND u.env = 'live' AND u.hour >= since AND u.hour < until
    GROUP BY p.id, p.slug, p.name, p.plan ORDER BY p.id
$$;
REVOKE ALL ON FUNCTION tocsin.roll_up_usage, tocsin.usage_of_projects FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.roll_up_usage, tocsin.usage_of_projects TO {app};
"""

# Finding is all that crosses projects; what is removed is removed inside the walls of the project's sandbox.
SANDBOX = """
CREATE FUNCTION tocsin.full_sandboxes(before timestamptz, most integer) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT o.project_id FROM (
        (SELECT project_id FROM tocsin.events
         WHERE env = 'test' AND id < tocsin.first_id_at(before) ORDER BY id LIMIT most)
        UNION ALL
        (SELECT project_id FROM tocsin.notifications
         WHERE env = 'test' AND id < tocsin.first_id_at(before) ORDER BY id LIMIT most)
        UNION ALL
        (SELECT project_id FROM tocsin.deliveries
         WHERE env = 'test' AND id < tocsin.first_id_at(before) ORDER BY id LIMIT most)) o
$$;
REVOKE ALL ON FUNCTION tocsin.full_sandboxes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.full_sandboxes TO {app};
"""
