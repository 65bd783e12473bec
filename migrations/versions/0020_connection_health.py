"""Checks of connections and what they found; how fast each may send; destinations that rules name."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index
from tocsin.kit.walls import for_pipeline, walled

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    build_index("deliveries_through", "deliveries", THROUGH)
    as_owner(CHECKS)
    as_owner("\n".join(walled("connection_checks", "config")))
    as_owner(PACE)
    for table in ("connection_pace", "connection_turns"):
        as_owner("\n".join(walled(table, "account")))
    as_owner(DESTINATIONS)
    as_owner(GRANTS)
    as_pipeline(CLAIM)
    as_pipeline(TURNS)
    as_owner(READING)
    as_owner(MATCHING)


# What a connection sent lately is read in the order of time; this serves what the narrower one did.
THROUGH = "(connection_project, connection_id, id) WHERE connection_id IS NOT NULL"

# `refusals` counts checks in which the provider did not take the credentials, in a row. A connection of the sandbox is
# never asked for, since nothing leaves the machine there. `outage_told` is true from the telling to the end of an
# outage, whoever noticed it.
CHECKS = """
ALTER TABLE tocsin.connections
    ADD COLUMN next_check_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN refusals smallint NOT NULL DEFAULT 0,
    ADD COLUMN paused_until timestamptz,
    ADD COLUMN outage_told boolean NOT NULL DEFAULT false;
CREATE INDEX connections_to_check ON tocsin.connections (project_id, next_check_at)
    WHERE env = 'live' AND status IN ('active', 'rate_limited', 'error');
CREATE INDEX connections_paused ON tocsin.connections (paused_until) WHERE status = 'rate_limited';
CREATE INDEX connections_untold ON tocsin.connections (project_id, id) WHERE status = 'error' AND NOT outage_told;
CREATE INDEX connections_mended ON tocsin.connections (project_id, id) WHERE outage_told AND status <> 'error';
CREATE TABLE tocsin.connection_checks (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    outcome text NOT NULL CHECK (outcome IN ('ok', 'temporary', 'permanent', 'credentials')),
    status integer,
    error text,
    duration_ms integer NOT NULL,
    checked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, connection_id, id),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE INDEX connection_checks_age ON tocsin.connection_checks (checked_at);
DROP INDEX tocsin.deliveries_connection;
"""

# `free_at` is when the next message may leave at the earliest: a bucket of tokens in one column. A row of turns is what
# one claim holds of the messages that may be under way at the same time; a process that ended holds them no longer than
# its lease.
PACE = """
CREATE TABLE tocsin.connection_pace (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    free_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, connection_id),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE TABLE tocsin.connection_turns (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    holder uuid NOT NULL,
    held integer NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (project_id, connection_id, holder),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
"""

# By name, because each person may have their own of that name.
DESTINATIONS = """
ALTER TABLE tocsin.rules ADD COLUMN target_destinations text[] NOT NULL DEFAULT '{{}}';
CREATE INDEX destinations_name ON tocsin.destinations (project_id, name);
"""

GRANTS = "\n".join(
    [
        *(for_pipeline(each) for each in ("connection_checks", "connection_pace", "connection_turns")),
        """
GRANT SELECT (next_check_at, paused_until, outage_told),
    UPDATE (status, status_reason, next_check_at, paused_until, outage_told) ON tocsin.connections TO {pipeline};
GRANT SELECT (project_id, connection_id, id, checked_at), DELETE ON tocsin.connection_checks TO {pipeline};
GRANT SELECT, INSERT, UPDATE ON tocsin.connection_pace TO {pipeline};
GRANT SELECT, INSERT, UPDATE, DELETE ON tocsin.connection_turns TO {pipeline};
""",
    ]
)

CLAIM = """
-- Some of the next projects in turn, so that one with very many holds up nobody's. Whoever takes a check puts the next
-- off by so long. What cannot be asked without sending something is put off for a day and not returned.
CREATE FUNCTION tocsin.claim_connection_checks(
    after uuid, most_projects integer, most_each integer, seconds integer, askable text[])
    RETURNS TABLE (project_id uuid, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = ''
    SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE due AS (
        (SELECT c.project_id FROM tocsin.connections c
         WHERE c.env = 'live' AND c.status IN ('active', 'rate_limited', 'error') AND c.project_id > after
             AND c.next_check_at <= pg_catalog.now() ORDER BY c.project_id LIMIT 1)
        UNION ALL
        SELECT (SELECT c.project_id FROM tocsin.connections c
                WHERE c.env = 'live' AND c.status IN ('active', 'rate_limited', 'error')
                    AND c.project_id > d.project_id AND c.next_check_at <= pg_catalog.now()
                ORDER BY c.project_id LIMIT 1)
        FROM due d WHERE d.project_id IS NOT NULL
    ), turn AS MATERIALIZED (
        SELECT d.project_id FROM due d
        WHERE d.project_id IS NOT NULL AND d.project_id <> ALL (ARRAY(
            SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
        LIMIT most_projects
    ), picked AS MATERIALIZED (
        SELECT t.project_id, c.id FROM turn t CROSS JOIN LATERAL (
            SELECT q.id FROM tocsin.connections q
            WHERE q.project_id = t.project_id AND q.env = 'live' AND q.status IN ('active', 'rate_limited', 'error')
                AND q.next_check_at <= pg_catalog.now()
            ORDER BY q.next_check_at LIMIT most_each FOR UPDATE SKIP LOCKED) c
    ), taken AS (
        UPDATE tocsin.connections c SET next_check_at = pg_catalog.now() + CASE WHEN c.provider = ANY (askable)
            THEN pg_catalog.make_interval(secs => seconds) ELSE interval '1 day' END
        FROM picked p WHERE c.project_id = p.project_id AND c.id = p.id
        RETURNING c.project_id, c.id, c.provider
    )
    SELECT t.project_id, t.id FROM taken t WHERE t.provider = ANY (askable)
$$;
-- Pauses that providers asked for and that are over.
CREATE FUNCTION tocsin.end_pauses(most integer) RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE tocsin.connections c SET status = 'active', status_reason = NULL, paused_until = NULL
    FROM (SELECT q.project_id, q.id FROM tocsin.connections q
        WHERE q.status = 'rate_limited' AND q.paused_until <= pg_catalog.now()
        ORDER BY q.paused_until LIMIT most FOR UPDATE SKIP LOCKED) o
    WHERE c.project_id = o.project_id AND c.id = o.id
    RETURNING c.project_id, c.env, c.id
$$;
-- Connections that have stopped and whose owners do not know; an outage that is over may be told of again.
CREATE FUNCTION tocsin.untold_outages(most integer) RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    UPDATE tocsin.connections c SET outage_told = false WHERE c.outage_told AND c.status <> 'error';
    SELECT c.project_id, c.env, c.id FROM tocsin.connections c
    WHERE c.status = 'error' AND NOT c.outage_told LIMIT most
$$;
CREATE FUNCTION tocsin.tidy_connection_checks(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH old AS (
        SELECT k.project_id, k.connection_id, k.id FROM tocsin.connection_checks k
        WHERE k.checked_at < pg_catalog.now() - interval '30 days' ORDER BY k.checked_at LIMIT most
    ), removed AS (
        DELETE FROM tocsin.connection_checks k USING old o
        WHERE k.project_id = o.project_id AND k.connection_id = o.connection_id AND k.id = o.id RETURNING 1
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION tocsin.claim_connection_checks, tocsin.end_pauses, tocsin.untold_outages,
    tocsin.tidy_connection_checks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_connection_checks, tocsin.end_pauses, tocsin.untold_outages,
    tocsin.tidy_connection_checks TO {app};
"""

TURNS = """
-- How many of `wanted` messages may leave over a connection within `horizon` seconds, the first after `starts_in`
-- seconds and the others evenly behind it; over `held` at a time where that is limited. `again_in` is when to ask for
-- the rest. A null limit is none. What it takes is lost with a crash of the database, so it does not wait for the disk.
CREATE FUNCTION tocsin.take_turns(project uuid, connection uuid, per_second integer, at_a_time integer, wanted integer,
    taker uuid, horizon double precision, lease_seconds integer)
    RETURNS TABLE (granted integer, held integer, starts_in double precision, again_in double precision)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    moment CONSTANT timestamptz := pg_catalog.clock_timestamp();
    free timestamptz;
    room integer := wanted;
    lanes integer;
BEGIN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    INSERT INTO tocsin.connection_pace AS p (project_id, connection_id, free_at) VALUES (project, connection, moment)
    ON CONFLICT (project_id, connection_id) DO UPDATE SET free_at = GREATEST(p.free_at, moment)
    RETURNING p.free_at INTO free;
    IF at_a_time IS NOT NULL THEN
        DELETE FROM tocsin.connection_turns t
        WHERE t.project_id = project AND t.connection_id = connection AND t.until <= moment;
        SELECT at_a_time - COALESCE(sum(t.held), 0) INTO lanes FROM tocsin.connection_turns t
        WHERE t.project_id = project AND t.connection_id = connection;
        IF lanes <= 0 THEN
            room := 0;
        END IF;
    END IF;
    IF per_second IS NOT NULL THEN
        room := LEAST(room, GREATEST(0,
            pg_catalog.ceil((extract(epoch FROM moment - free) + horizon) * per_second)::integer));
        UPDATE tocsin.connection_pace p
        SET free_at = free + pg_catalog.make_interval(secs => room / per_second::double precision)
        WHERE p.project_id = project AND p.connection_id = connection AND room > 0;
    END IF;
    -- LEAST passes over a null.
    lanes := CASE WHEN at_a_time IS NOT NULL THEN LEAST(lanes, room) END;
    IF lanes > 0 THEN
        INSERT INTO tocsin.connection_turns AS t (project_id, connection_id, holder, held, until)
        VALUES (project, connection, taker, lanes, moment + pg_catalog.make_interval(secs => lease_seconds))
        ON CONFLICT (project_id, connection_id, holder) DO UPDATE SET held = t.held + excluded.held;
    END IF;
    RETURN QUERY SELECT room, lanes, extract(epoch FROM free - moment)::double precision,
        CASE WHEN per_second IS NULL THEN 0 ELSE extract(epoch FROM free - moment)::double precision
            + room / per_second::double precision END;
END $$;
CREATE FUNCTION tocsin.return_turns(project uuid, connection uuid, taker uuid, count integer) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM pg_catalog.set_config('synchronous_commit', 'off', true);
    UPDATE tocsin.connection_turns t SET held = t.held - count
    WHERE t.project_id = project AND t.connection_id = connection AND t.holder = taker;
    DELETE FROM tocsin.connection_turns t
    WHERE t.project_id = project AND t.connection_id = connection AND t.holder = taker AND t.held <= 0;
END $$;
-- Of a project's connections of these channels and of those that the platform lends; none of the unlimited ones.
CREATE FUNCTION tocsin.connection_limits(project uuid, channels text[])
    RETURNS TABLE (id uuid, rate_limit_rps integer, max_concurrent integer, paused_until timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT c.id, c.rate_limit_rps, c.max_concurrent,
        CASE WHEN c.status = 'rate_limited' THEN c.paused_until END
    FROM tocsin.connections c
    WHERE c.project_id IN (project, '00000000-0000-7000-8000-000000000000') AND c.channel = ANY (channels)
        AND (c.rate_limit_rps IS NOT NULL OR c.max_concurrent IS NOT NULL OR c.paused_until IS NOT NULL)
$$;
REVOKE ALL ON FUNCTION tocsin.take_turns, tocsin.return_turns, tocsin.connection_limits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.take_turns, tocsin.return_turns, tocsin.connection_limits TO {app};
"""

READING = """
-- What `read_outgoing` tells, and beside it the destinations of those that go to one, and the limits of the channels'
-- connections. A destination that is gone is null: what was for it goes nowhere else.
CREATE FUNCTION tocsin.read_sending(project uuid, env text, ids uuid[], token uuid, addressed text[]) RETURNS json
    LANGUAGE plpgsql AS $$
DECLARE
    outgoing CONSTANT json := tocsin.read_outgoing(project, env, ids, token, addressed);
BEGIN
    RETURN (
        WITH ours AS MATERIALIZED (
            SELECT d.id, d.channel, d.destination_id, d.user_id IS NULL AND d.address IS NOT NULL AS elsewhere
            FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.id = ANY (ids) AND d.lease_token = token
        )
        SELECT pg_catalog.json_build_object(
            'outgoing', outgoing,
            'destinations', coalesce((SELECT pg_catalog.json_object_agg(o.id, CASE WHEN t.id IS NOT NULL THEN
                    pg_catalog.json_build_object('name', t.name, 'address', t.target, 'enabled', t.enabled,
                        'connection', pg_catalog.json_build_object('project_id', project, 'id', c.id,
                            'provider', c.provider, 'channel', c.channel, 'owner', c.owner, 'user_id', c.user_id,
                            'status', c.status, 'use_as_fallback', c.use_as_fallback,
                            'max_concurrent', c.max_concurrent, 'version', c.updated_at, 'alone', false,
                            'reach', '{{}}'::json)) END)
                FROM ours o
                LEFT JOIN tocsin.destinations t ON t.project_id = project AND t.id = o.destination_id
                LEFT JOIN tocsin.connections c ON c.project_id = project AND c.id = t.connection_id
                WHERE o.destination_id IS NOT NULL OR o.elsewhere), '{{}}'),
            'limits', (SELECT coalesce(pg_catalog.json_object_agg(l.id, pg_catalog.json_build_object(
                    'per_second', l.rate_limit_rps, 'at_a_time', l.max_concurrent, 'paused_until', l.paused_until)),
                    '{{}}')
                FROM tocsin.connection_limits(project, ARRAY(SELECT DISTINCT o.channel FROM ours o)) l))
    );
END $$;
-- What rules mean by these names for these people: their own and the project's, the nearest first.
CREATE FUNCTION tocsin.named_destinations(project uuid, environment text, names text[], people uuid[])
    RETURNS TABLE (name text, id uuid, user_id uuid, channel text, address text, enabled boolean)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN QUERY
    SELECT t.name, t.id, c.user_id, c.channel, t.target, t.enabled FROM tocsin.destinations t
    JOIN tocsin.connections c ON c.project_id = t.project_id AND c.id = t.connection_id
    WHERE t.project_id = project AND t.name = ANY (names)
        AND (c.owner = 'project' OR (c.owner = 'user' AND c.user_id = ANY (people)))
    ORDER BY t.env DESC, c.is_default DESC, t.created_at, t.id;
END $$;
REVOKE ALL ON FUNCTION tocsin.read_sending, tocsin.named_destinations FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.read_sending, tocsin.named_destinations TO {app};
"""

# As before, and with the names of destinations that a rule has; 0023 writes the deliveries to them.
MATCHING = """
CREATE OR REPLACE FUNCTION tocsin.read_claimed(project uuid, env text, ids uuid[], token uuid) RETURNS json
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
                    'target_destinations', r.target_destinations,
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
"""
