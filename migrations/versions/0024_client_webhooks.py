"""Endpoints of the project's backend that hear what happens in it, and the messages on their way there."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0024"
down_revision = "0023"

TABLES: dict[str, Kind] = {"webhook_endpoints": "config", "webhook_messages": "traffic", "webhook_attempts": "traffic"}


def upgrade() -> None:
    as_owner(ENDPOINTS)
    as_owner(MESSAGES)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
    as_owner("\n".join(map(for_pipeline, ("webhook_endpoints", "webhook_messages"))))
    as_owner(PIPELINE_GRANTS)
    as_owner(TELLING)
    as_owner(WITH_THE_THING_ITSELF)
    as_owner(RECORDING)
    as_owner(PERMISSIONS)
    as_pipeline(QUEUE)
    as_pipeline(CHORES)
    as_pipeline(EXPIRED)
    as_pipeline(WAITING)


# A removed endpoint is kept until its messages are gone, which takes as many steps as there are many.
# `recover_after` is how far a recovery has come, `pause_told` whether its owner knows of a pause.
ENDPOINTS = """
CREATE TABLE tocsin.webhook_endpoints (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    url text NOT NULL,
    description text,
    event_types text[] NOT NULL,
    timeout_seconds smallint NOT NULL DEFAULT 15,
    secret text NOT NULL,
    previous_secret text,
    previous_until timestamptz,
    is_primary boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'disabled', 'removed')),
    status_reason text,
    failing_since timestamptz,
    failures integer NOT NULL DEFAULT 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    pause_told boolean NOT NULL DEFAULT true,
    recover_since timestamptz,
    recover_until timestamptz,
    recover_after uuid,
    recovered integer NOT NULL DEFAULT 0,
    recovered_at timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, created_by) REFERENCES tocsin.users (project_id, id) ON DELETE SET NULL (created_by)
);
CREATE UNIQUE INDEX webhook_endpoints_one_primary ON tocsin.webhook_endpoints (project_id, env)
    WHERE is_primary AND status <> 'removed';
CREATE INDEX webhook_endpoints_chores ON tocsin.webhook_endpoints (project_id, id)
    WHERE status <> 'active' OR recover_until IS NOT NULL;
CREATE INDEX webhook_endpoints_creator ON tocsin.webhook_endpoints (project_id, created_by)
    WHERE created_by IS NOT NULL;
"""

# `data` is null where the database itself found out what happened, and may not read it: then it is read of the
# delivery when it is sent. `tries` are those since it was queued, by hand or by what happened; `attempts` all.
MESSAGES = """
CREATE TABLE tocsin.webhook_messages (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    endpoint_id uuid NOT NULL,
    event_type text NOT NULL,
    data json,
    delivery_id uuid,
    state text NOT NULL CHECK (state IN ('queued', 'leased', 'delivered', 'failed', 'captured')),
    ready boolean NOT NULL DEFAULT false,
    rank smallint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    tries smallint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    crashes smallint NOT NULL DEFAULT 0,
    lease_token uuid,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, endpoint_id) REFERENCES tocsin.webhook_endpoints (project_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_messages_waiting ON tocsin.webhook_messages (project_id, endpoint_id, rank, id)
    WHERE state = 'queued' AND ready;
CREATE INDEX webhook_messages_due ON tocsin.webhook_messages (due_at) WHERE state = 'queued' AND NOT ready;
CREATE INDEX webhook_messages_leased ON tocsin.webhook_messages (lease_until) WHERE state = 'leased';
CREATE INDEX webhook_messages_endpoint ON tocsin.webhook_messages (project_id, endpoint_id, id);
CREATE INDEX webhook_messages_age ON tocsin.webhook_messages (env, created_at);
CREATE TABLE tocsin.webhook_attempts (
    project_id uuid NOT NULL,
    message_id uuid NOT NULL,
    number integer NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    outcome text NOT NULL,
    status integer,
    answer text,
    error text,
    started_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    next_due_at timestamptz,
    PRIMARY KEY (project_id, message_id, number),
    FOREIGN KEY (project_id, message_id) REFERENCES tocsin.webhook_messages (project_id, id) ON DELETE CASCADE
);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, id, env, event_types, status, failing_since, pause_told, recover_until)
    ON tocsin.webhook_endpoints TO {pipeline};
GRANT SELECT (project_id, id, env, endpoint_id, state, ready, rank, due_at, crashes, lease_token, lease_until,
        created_at),
    INSERT (project_id, id, env, endpoint_id, event_type, delivery_id, state, ready, last_error, finished_at),
    UPDATE (state, ready, crashes, lease_token, lease_until, last_error, finished_at), DELETE
    ON tocsin.webhook_messages TO {pipeline};
"""

# What a listening endpoint hears becomes a row in the transaction of the thing itself. One that is paused hears it too,
# as a failure that can be recovered. The sandbox keeps it and sends nothing.
TELLING = """
-- A UUIDv7 for rows that the database makes by itself; in order to the millisecond.
CREATE FUNCTION tocsin.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.encode(pg_catalog.set_byte(b.bytes, 6, (pg_catalog.get_byte(b.bytes, 6) & 15) | 112), 'hex')::uuid
    FROM (SELECT overlay(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) PLACING pg_catalog.substring(
        pg_catalog.uuid_send(tocsin.first_id_at(pg_catalog.clock_timestamp())), 1, 6) FROM 1 FOR 6) AS bytes) b
$$;
CREATE FUNCTION tocsin.tell_webhooks_of_all(project uuid, environment text, happened text[], told json[])
    RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO tocsin.webhook_messages (project_id, env, id, endpoint_id, event_type, data, state, ready, last_error,
        finished_at)
    SELECT project, environment, tocsin.new_id(), e.id, h.event_type, h.data, s.state, s.state = 'queued',
        CASE WHEN s.state = 'failed' THEN 'The endpoint was paused.' END,
        CASE WHEN s.state <> 'queued' THEN pg_catalog.now() END
    FROM tocsin.webhook_endpoints e CROSS JOIN LATERAL (
        SELECT CASE WHEN environment = 'test' THEN 'captured' WHEN e.status = 'active' THEN 'queued' ELSE 'failed' END
            AS state) s
    JOIN unnest(happened, told) AS h (event_type, data) ON e.event_types && ARRAY[h.event_type, '*']
    WHERE e.project_id = project AND e.status IN ('active', 'paused')
$$;
CREATE FUNCTION tocsin.tell_webhooks(project uuid, environment text, happened text, told json) RETURNS void
    LANGUAGE sql VOLATILE AS $$
    SELECT tocsin.tell_webhooks_of_all(project, environment, ARRAY[happened], ARRAY[told])
$$;
CREATE FUNCTION tocsin.as_told(moment timestamptz) RETURNS text LANGUAGE sql STABLE
    RETURN pg_catalog.to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');
-- What became of deliveries that reached their end. OFFSET 0 has each row of others looked up by key.
CREATE FUNCTION tocsin.deliveries_as_told(project uuid, ids uuid[])
    RETURNS TABLE (id uuid, event_type text, data json) LANGUAGE sql STABLE AS $$
    SELECT d.id, f.event_type, CASE f.event_type
        WHEN 'notification.failed' THEN pg_catalog.json_build_object(
            'notificationId', d.notification_id, 'deliveryId', d.id, 'channel', d.channel, 'status', d.state,
            'userId', d.user_id, 'externalUserId', u.external_user_id, 'eventId', n.event_id,
            'clientEventId', n.client_event_id, 'error', d.last_error)
        ELSE pg_catalog.json_build_object(
            'notificationId', d.notification_id, 'deliveryId', d.id, 'channel', d.channel, 'status', d.state,
            'userId', d.user_id, 'externalUserId', u.external_user_id, 'eventId', n.event_id,
            'clientEventId', n.client_event_id,
            'deliveredAt', tocsin.as_told(coalesce(d.delivered_at, d.sent_at, d.finished_at))) END
    FROM tocsin.deliveries d
    CROSS JOIN LATERAL (SELECT CASE WHEN d.state IN ('failed', 'suppressed', 'dropped') THEN 'notification.failed'
        ELSE 'notification.delivered' END AS event_type) f
    LEFT JOIN LATERAL (SELECT * FROM tocsin.notifications n
        WHERE n.project_id = project AND n.id = d.notification_id OFFSET 0) n ON true
    LEFT JOIN LATERAL (SELECT * FROM tocsin.users u
        WHERE u.project_id = project AND u.id = d.user_id OFFSET 0) u ON true
    WHERE d.project_id = project AND d.id = ANY (ids)
$$;
CREATE FUNCTION tocsin.tell_of_deliveries(project uuid, environment text, ids uuid[]) RETURNS void
    LANGUAGE sql VOLATILE AS $$
    SELECT tocsin.tell_webhooks_of_all(project, environment, array_agg(t.event_type), array_agg(t.data))
    FROM tocsin.deliveries_as_told(project, ids) t
$$;
-- Whether anybody listens to what becomes of deliveries: all that a project without endpoints pays.
CREATE FUNCTION tocsin.deliveries_are_heard(project uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM tocsin.webhook_endpoints e
        WHERE e.project_id = project AND e.status IN ('active', 'paused')
            AND e.event_types && ARRAY['notification.delivered', 'notification.failed', '*'])
$$;
"""

# Around what is there: whichever way deliveries are recorded and matched, what became of them is told with it.
WITH_THE_THING_ITSELF = """
CREATE FUNCTION tocsin.record_and_tell(project uuid, environment text, token uuid, results json, untouched uuid[])
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    IF tocsin.deliveries_are_heard(project) THEN
        -- Held until they are recorded: a lease that is ours here is ours there.
        ours := ARRAY(SELECT d.id FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.lease_token = token AND d.id = ANY (ARRAY(
                SELECT r.delivery_id FROM pg_catalog.json_to_recordset(results) AS r (delivery_id uuid, state text)
                WHERE r.state <> 'queued'))
            FOR UPDATE);
    END IF;
    PERFORM tocsin.record_results(project, environment, token, results, untouched);
    IF pg_catalog.cardinality(ours) > 0 THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, ours);
    END IF;
END $$;
CREATE FUNCTION tocsin.write_matched_and_tell(project uuid, environment text, token uuid, decided json, made json)
    RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[] := tocsin.write_matched(project, environment, token, decided, made);
    ended uuid[];
BEGIN
    IF pg_catalog.json_array_length(made) > 0 AND tocsin.deliveries_are_heard(project) THEN
        ended := ARRAY(
            SELECT i.id::uuid
            FROM pg_catalog.json_to_recordset(made) AS n (event_id uuid, dropped text, deliveries json)
            CROSS JOIN LATERAL pg_catalog.json_to_recordset(n.deliveries) AS d (instant boolean, ids json)
            CROSS JOIN LATERAL pg_catalog.json_array_elements_text(d.ids) AS i (id)
            WHERE n.event_id = ANY (ours) AND (d.instant OR n.dropped IS NOT NULL));
        PERFORM tocsin.tell_of_deliveries(project, environment, ended);
    END IF;
    RETURN ours;
END $$;
"""

# An endpoint that took nothing for long enough is paused with the very result that shows it, so no crash comes between.
# The row of one that works is written once a minute at most, since all its results would wait for each other there.
RECORDING = """
CREATE FUNCTION tocsin.record_webhooks(project uuid, environment text, token uuid, results json, patience interval)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH told AS MATERIALIZED (
        SELECT * FROM pg_catalog.json_to_recordset(results) AS r (id uuid, endpoint_id uuid, number integer, state text,
            outcome text, status integer, answer text, error text, started_at timestamptz, duration_ms integer,
            due_at timestamptz, gone boolean)
    ), ours AS (
        UPDATE tocsin.webhook_messages m SET state = r.state, ready = false,
            rank = CASE WHEN r.state = 'queued' THEN greatest(m.rank, 1) ELSE m.rank END,
            due_at = coalesce(r.due_at, m.due_at), tries = m.tries + 1, attempts = r.number, crashes = 0,
            lease_token = NULL, lease_until = NULL, last_error = r.error,
            finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE pg_catalog.clock_timestamp() END
        FROM told r WHERE m.project_id = project AND m.id = r.id AND m.lease_token = token
        RETURNING m.id
    ), tried AS (
        INSERT INTO tocsin.webhook_attempts (project_id, env, message_id, number, outcome, status, answer, error,
            started_at, duration_ms, next_due_at)
        SELECT project, environment, r.id, r.number, r.outcome, r.status, r.answer, r.error, r.started_at,
            r.duration_ms, r.due_at
        FROM told r WHERE r.id IN (SELECT o.id FROM ours o)
        ON CONFLICT DO NOTHING
    ), heard AS MATERIALIZED (
        SELECT r.endpoint_id AS id, max(r.started_at) FILTER (WHERE r.outcome = 'ok') AS success,
            min(r.started_at) FILTER (WHERE r.outcome <> 'ok') AS failure,
            count(*) FILTER (WHERE r.outcome <> 'ok') AS failures, bool_or(r.gone) AS gone
        FROM told r WHERE r.id IN (SELECT o.id FROM ours o) GROUP BY r.endpoint_id
    ), judged AS MATERIALIZED (
        SELECT h.*, e.status, CASE WHEN h.success IS NULL THEN coalesce(e.failing_since, h.failure) END AS since
        FROM heard h JOIN tocsin.webhook_endpoints e ON e.project_id = project AND e.id = h.id
    ), paused AS MATERIALIZED (
        SELECT j.id, CASE WHEN j.gone THEN 'It answered 410: it is gone.'
            ELSE 'Nothing arrived since ' || tocsin.as_told(j.since) || '.' END AS reason
        FROM judged j
        WHERE j.status = 'active' AND (j.gone OR j.since <= pg_catalog.clock_timestamp() - patience)
    )
    UPDATE tocsin.webhook_endpoints e SET
        failing_since = j.since,
        failures = CASE WHEN j.success IS NULL THEN e.failures + j.failures ELSE 0 END,
        last_success_at = greatest(e.last_success_at, j.success),
        last_failure_at = greatest(e.last_failure_at, j.failure),
        status = CASE WHEN p.id IS NULL THEN e.status ELSE 'paused' END,
        status_reason = CASE WHEN p.id IS NULL THEN e.status_reason ELSE p.reason END,
        pause_told = e.pause_told AND p.id IS NULL
    FROM judged j LEFT JOIN paused p ON p.id = j.id
    WHERE e.project_id = project AND e.id = j.id AND (j.failures > 0 OR e.failing_since IS NOT NULL
        OR e.last_success_at IS NULL OR e.last_success_at < j.success - interval '1 minute');
END $$;
REVOKE ALL ON FUNCTION tocsin.new_id, tocsin.tell_webhooks_of_all, tocsin.tell_webhooks, tocsin.as_told,
    tocsin.deliveries_as_told, tocsin.tell_of_deliveries, tocsin.deliveries_are_heard, tocsin.record_and_tell,
    tocsin.write_matched_and_tell, tocsin.record_webhooks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.new_id, tocsin.tell_webhooks_of_all, tocsin.tell_webhooks, tocsin.as_told,
    tocsin.deliveries_as_told, tocsin.tell_of_deliveries, tocsin.deliveries_are_heard, tocsin.record_and_tell,
    tocsin.write_matched_and_tell, tocsin.record_webhooks TO {app};
GRANT EXECUTE ON FUNCTION tocsin.new_id TO {pipeline};
"""

# Built-in roles hold what their names say, also in projects that are there. Keys keep what they were given.
PERMISSIONS = """
UPDATE tocsin.roles SET permissions = permissions || ARRAY['webhooks:manage', 'webhooks:read']
WHERE built_in AND name IN ('owner', 'admin') AND project_id <> '00000000-0000-7000-8000-000000000000';
UPDATE tocsin.roles SET permissions = permissions || ARRAY['webhooks:read']
WHERE built_in AND name = 'viewer' AND project_id <> '00000000-0000-7000-8000-000000000000';
"""

# The turn goes over endpoints, so that one of a project's never waits for another of it. Each gives its first message
# before any gives a second one. One that fails is tried with one message at a time, so those that hang together cannot
# use up what their project may have under way.
QUEUE = """
CREATE FUNCTION tocsin.claim_webhooks(after_project uuid, after_endpoint uuid, most_endpoints integer,
    most_each integer, most_project integer, most integer, lease_seconds integer, token uuid,
    busy_endpoints uuid[], endpoint_counts integer[], busy_projects uuid[], project_counts integer[])
    RETURNS TABLE (project_id uuid, env text, endpoint_id uuid, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH RECURSIVE waiting AS (
        (SELECT m.project_id, m.endpoint_id FROM tocsin.webhook_messages m
         WHERE m.state = 'queued' AND m.ready AND (m.project_id, m.endpoint_id) > (after_project, after_endpoint)
         ORDER BY m.project_id, m.endpoint_id LIMIT 1)
        UNION ALL
        SELECT n.project_id, n.endpoint_id FROM waiting w CROSS JOIN LATERAL (
            SELECT m.project_id, m.endpoint_id FROM tocsin.webhook_messages m
            WHERE m.state = 'queued' AND m.ready AND (m.project_id, m.endpoint_id) > (w.project_id, w.endpoint_id)
            ORDER BY m.project_id, m.endpoint_id LIMIT 1) n
    ), turn AS MATERIALIZED (
        SELECT w.project_id, w.endpoint_id, r.room, most_project - coalesce((
            SELECT b.n FROM unnest(busy_projects, project_counts) AS b (id, n) WHERE b.id = w.project_id), 0) AS left
        FROM waiting w CROSS JOIN LATERAL (
            SELECT CASE WHEN e.failing THEN 1 ELSE most_each END - coalesce((
                SELECT b.n FROM unnest(busy_endpoints, endpoint_counts) AS b (id, n) WHERE b.id = w.endpoint_id), 0)
                AS room
            FROM (SELECT e.status, e.failing_since IS NOT NULL AS failing FROM tocsin.webhook_endpoints e
                WHERE e.project_id = w.project_id AND e.id = w.endpoint_id) e
            WHERE e.status = 'active') r
        WHERE r.room > 0 AND w.project_id <> ALL (ARRAY(
                SELECT p.id FROM tocsin.projects p WHERE p.status IN ('suspended', 'cancelled')))
            AND NOT EXISTS (SELECT FROM unnest(busy_projects, project_counts) AS b (id, n)
                WHERE b.id = w.project_id AND b.n >= most_project)
        LIMIT most_endpoints
    ), picked AS MATERIALIZED (
        SELECT t.project_id, t.endpoint_id, t.left, m.id, m.rank
        FROM turn t CROSS JOIN LATERAL (
            SELECT q.id, q.rank FROM tocsin.webhook_messages q
            WHERE q.project_id = t.project_id AND q.endpoint_id = t.endpoint_id AND q.state = 'queued' AND q.ready
            ORDER BY q.rank, q.id LIMIT t.room FOR UPDATE SKIP LOCKED) m
    ), placed AS (
        SELECT p.*, row_number() OVER (PARTITION BY p.project_id, p.endpoint_id ORDER BY p.rank, p.id) AS place
        FROM picked p
    ), fitting AS (
        -- By lot, so that of more endpoints than a project may have under way none is always among the last.
        SELECT p.*, row_number() OVER (PARTITION BY p.project_id ORDER BY p.place, pg_catalog.random()) AS nth
        FROM placed p
    ), taken AS MATERIALIZED (
        SELECT f.project_id, f.id FROM fitting f WHERE f.nth <= f.left
        ORDER BY f.place, f.project_id, f.endpoint_id LIMIT most
    )
    UPDATE tocsin.webhook_messages m
    SET state = 'leased', lease_token = token, crashes = m.crashes + 1,
        lease_until = pg_catalog.now() + pg_catalog.make_interval(secs => lease_seconds)
    FROM taken t WHERE m.project_id = t.project_id AND m.id = t.id
    RETURNING m.project_id, m.env, m.endpoint_id, m.id
$$;
-- Retries whose time has come, and what a process left behind when it ended.
CREATE FUNCTION tocsin.ready_webhooks(most integer, most_crashes integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    WITH due AS (
        UPDATE tocsin.webhook_messages m SET ready = true
        FROM (SELECT q.project_id, q.id FROM tocsin.webhook_messages q
            WHERE q.state = 'queued' AND NOT q.ready AND q.due_at <= pg_catalog.now()
            ORDER BY q.due_at LIMIT most FOR UPDATE SKIP LOCKED) d
        WHERE m.project_id = d.project_id AND m.id = d.id RETURNING 1
    ), freed AS (
        UPDATE tocsin.webhook_messages m
        SET state = CASE WHEN m.crashes < most_crashes THEN 'queued' ELSE 'failed' END, ready = true,
            lease_token = NULL, lease_until = NULL, last_error = 'The process that was sending it ended.',
            finished_at = CASE WHEN m.crashes < most_crashes THEN NULL ELSE pg_catalog.now() END
        FROM (SELECT q.project_id, q.id FROM tocsin.webhook_messages q
            WHERE q.state = 'leased' AND q.lease_until < pg_catalog.now() LIMIT most FOR UPDATE SKIP LOCKED) l
        WHERE m.project_id = l.project_id AND m.id = l.id RETURNING 1
    )
    SELECT (SELECT count(*) FROM due) + (SELECT count(*) FROM freed)
$$;
REVOKE ALL ON FUNCTION tocsin.claim_webhooks, tocsin.ready_webhooks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_webhooks, tocsin.ready_webhooks TO {app};
"""

CHORES = """
-- Endpoints with something to do besides sending: a pause to tell of, a recovery that goes on, a removal.
CREATE FUNCTION tocsin.webhook_chores(most integer) RETURNS TABLE (kind text, project_id uuid, env text, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT CASE WHEN e.status = 'removed' THEN 'remove' WHEN e.status = 'paused' THEN 'tell' ELSE 'recover' END,
        e.project_id, e.env, e.id
    FROM tocsin.webhook_endpoints e
    WHERE e.status = 'removed' OR (e.status = 'paused' AND NOT e.pause_told)
        OR (e.status = 'active' AND e.recover_until IS NOT NULL)
    LIMIT most
$$;
-- What waits for an endpoint that takes nothing at the moment: it is recovered, or not at all.
CREATE FUNCTION tocsin.fail_resting_webhooks(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH resting AS (
        SELECT m.project_id, m.id, e.status FROM tocsin.webhook_endpoints e CROSS JOIN LATERAL (
            SELECT q.project_id, q.id FROM tocsin.webhook_messages q
            WHERE q.project_id = e.project_id AND q.endpoint_id = e.id AND q.state = 'queued' AND q.ready
            LIMIT most FOR UPDATE SKIP LOCKED) m
        WHERE e.status <> 'active' LIMIT most
    ), ended AS (
        UPDATE tocsin.webhook_messages m SET state = 'failed', ready = false, finished_at = pg_catalog.now(),
            last_error = 'The endpoint was ' || r.status || '.'
        FROM resting r WHERE m.project_id = r.project_id AND m.id = r.id RETURNING 1
    )
    SELECT count(*) FROM ended
$$;
-- Messages are kept for 30 days, in the sandbox for seven; attempts go with them.
CREATE FUNCTION tocsin.tidy_webhooks(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH old AS (
        SELECT o.project_id, o.id FROM (
            (SELECT m.project_id, m.id FROM tocsin.webhook_messages m
             WHERE m.env = 'live' AND m.created_at < pg_catalog.now() - interval '30 days' LIMIT most)
            UNION ALL
            (SELECT m.project_id, m.id FROM tocsin.webhook_messages m
             WHERE m.env = 'test' AND m.created_at < pg_catalog.now() - interval '7 days' LIMIT most)) o
    ), gone AS (
        DELETE FROM tocsin.webhook_messages m USING old o WHERE m.project_id = o.project_id AND m.id = o.id RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION tocsin.webhook_chores, tocsin.fail_resting_webhooks, tocsin.tidy_webhooks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.webhook_chores, tocsin.fail_resting_webhooks, tocsin.tidy_webhooks TO {app};
"""

# As it was, and telling of deliveries that are given up. It crosses projects, so it may not read what it tells of.
EXPIRED = """
CREATE OR REPLACE FUNCTION tocsin.release_expired(most integer, most_claims integer, most_crashes integer)
    RETURNS TABLE (kind text, rows bigint) LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
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
        FROM late_deliveries l WHERE d.project_id = l.project_id AND d.id = l.id
        RETURNING d.project_id, d.env, d.id, d.state
    ), told AS (
        INSERT INTO tocsin.webhook_messages (project_id, env, id, endpoint_id, event_type, delivery_id, state, ready,
            last_error, finished_at)
        SELECT f.project_id, f.env, tocsin.new_id(), e.id, 'notification.failed', f.id, s.state, s.state = 'queued',
            CASE WHEN s.state = 'failed' THEN 'The endpoint was paused.' END,
            CASE WHEN s.state <> 'queued' THEN pg_catalog.now() END
        FROM freed_deliveries f JOIN tocsin.webhook_endpoints e ON e.project_id = f.project_id
            AND (e.env = f.env OR f.env = 'test') AND e.status IN ('active', 'paused')
            AND e.event_types && ARRAY['notification.failed', '*']
        CROSS JOIN LATERAL (SELECT CASE WHEN f.env = 'test' THEN 'captured' WHEN e.status = 'active' THEN 'queued'
            ELSE 'failed' END AS state) s
        WHERE f.state = 'failed'
    )
    SELECT 'events', count(*) FROM freed_events UNION ALL SELECT 'deliveries', count(*) FROM freed_deliveries
$$;
"""

# What `waiting_stages` does not name.
WAITING = """
CREATE FUNCTION tocsin.more_waiting_stages() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT ARRAY(SELECT s.name FROM (VALUES
        ('webhooks', EXISTS (SELECT FROM tocsin.webhook_messages m WHERE m.state = 'queued' AND m.ready)
            OR EXISTS (SELECT FROM tocsin.webhook_messages m
                WHERE m.state = 'queued' AND NOT m.ready AND m.due_at <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.webhook_messages m
                WHERE m.state = 'leased' AND m.lease_until < pg_catalog.now())),
        ('endpoints', EXISTS (SELECT FROM tocsin.webhook_chores(1))),
        ('inbound', EXISTS (SELECT FROM tocsin.inbound_raw r WHERE r.state = 'received' AND r.due_at <= pg_catalog.now())),
        ('poll', EXISTS (SELECT FROM tocsin.hooks h WHERE h.polled AND h.poll_until < pg_catalog.now())),
        ('outages', EXISTS (SELECT FROM tocsin.connections c
                WHERE c.status = 'rate_limited' AND c.paused_until <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.connections c WHERE c.status = 'error' AND NOT c.outage_told)
            OR EXISTS (SELECT FROM tocsin.connections c WHERE c.outage_told AND c.status <> 'error'))
    ) AS s (name, waits) WHERE s.waits)
$$;
REVOKE ALL ON FUNCTION tocsin.more_waiting_stages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.more_waiting_stages TO {app};
"""
