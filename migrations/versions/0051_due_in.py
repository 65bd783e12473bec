"""Tries are due by the database's clock, whatever a worker's shows (D1, R3)."""

from tocsin.kit.migrate import as_owner

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    as_owner(RECORDING)


# As before, and a result says in how many seconds the next try is due; a worker of the version before says when.
# `record_results` takes both since 0047.
RECORDING = """
CREATE OR REPLACE FUNCTION tocsin.record_webhooks(project uuid, environment text, token uuid, results json, patience interval)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH told AS MATERIALIZED (
        SELECT r.*, coalesce(pg_catalog.now() + pg_catalog.make_interval(secs => r.due_in), r.due_at) AS due
        FROM pg_catalog.json_to_recordset(results) AS r (id uuid, endpoint_id uuid, number integer, state text,
            outcome text, status integer, answer text, error text, started_at timestamptz, duration_ms integer,
            due_in double precision, due_at timestamptz, gone boolean)
    ), ours AS (
        UPDATE tocsin.webhook_messages m SET state = r.state, ready = false,
            rank = CASE WHEN r.state = 'queued' THEN greatest(m.rank, 1) ELSE m.rank END,
            due_at = coalesce(r.due, m.due_at), tries = m.tries + 1, attempts = r.number, crashes = 0,
            lease_token = NULL, lease_until = NULL, last_error = r.error,
            finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE pg_catalog.clock_timestamp() END
        FROM told r WHERE m.project_id = project AND m.id = r.id AND m.lease_token = token
        RETURNING m.id
    ), tried AS (
        INSERT INTO tocsin.webhook_attempts (project_id, env, message_id, number, outcome, status, answer, error,
            started_at, duration_ms, next_due_at)
        SELECT project, environment, r.id, r.number, r.outcome, r.status, r.answer, r.error, r.started_at,
            r.duration_ms, r.due
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
"""
