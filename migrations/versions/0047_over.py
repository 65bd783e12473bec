"""A repeat that fails for now after the acknowledgement is over, and waits no more (R3)."""

from tocsin.kit.migrate import as_owner

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    as_owner(RECORDING)


# As before, and a repeat that would be tried again is cancelled if its notification was acknowledged while it was under
# way, when the acknowledgement did not find it waiting. Nothing is asked where no repeat is tried again.
RECORDING = """
CREATE OR REPLACE FUNCTION tocsin.record_results(project uuid, environment text, token uuid, results json, untouched uuid[])
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    in_vain uuid[];
    again uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH told AS MATERIALIZED (
        SELECT r.*, coalesce(pg_catalog.now() + pg_catalog.make_interval(secs => r.due_in), r.due_at) AS due
        FROM pg_catalog.json_to_recordset(results) AS r (delivery_id uuid, number integer, state text,
            outcome text, rank smallint, due_in double precision, due_at timestamptz, error text, status integer, answer text,
            provider_message_id text, address text, connection_project uuid, connection_id uuid,
            connection_reason text, captured json, started_at timestamptz, duration_ms integer)
    ), ours AS (
        UPDATE tocsin.deliveries d SET
            state = r.state, ready = false, rank = r.rank, due_at = coalesce(r.due, d.due_at), crashes = 0,
            attempts = CASE WHEN r.outcome IS NOT NULL THEN r.number ELSE d.attempts END,
            lease_token = NULL, lease_until = NULL, last_error = r.error, address = coalesce(r.address, d.address),
            provider_message_id = coalesce(r.provider_message_id, d.provider_message_id),
            connection_project = r.connection_project, connection_id = r.connection_id,
            connection_reason = coalesce(r.connection_reason, d.connection_reason), captured = r.captured,
            sent_at = CASE WHEN r.state IN ('sent', 'delivered')
                THEN coalesce(d.sent_at, pg_catalog.clock_timestamp()) ELSE d.sent_at END,
            delivered_at = CASE WHEN r.state = 'delivered' THEN pg_catalog.clock_timestamp() ELSE d.delivered_at END,
            finished_at = CASE WHEN r.state = 'queued' THEN NULL ELSE pg_catalog.clock_timestamp() END
        FROM told r WHERE d.project_id = project AND d.id = r.delivery_id AND d.lease_token = token
        RETURNING d.id, d.state, d.round
    ), kept AS (
        INSERT INTO tocsin.attempts (project_id, env, delivery_id, number, connection_id, outcome, status, answer, error,
            started_at, duration_ms, next_due_at)
        SELECT project, environment, r.delivery_id, r.number, r.connection_id, r.outcome, r.status, r.answer, r.error,
            r.started_at, r.duration_ms, r.due
        FROM told r WHERE r.outcome IS NOT NULL AND r.delivery_id IN (SELECT id FROM ours)
        ON CONFLICT DO NOTHING
    )
    SELECT pg_catalog.array_agg(o.id) FILTER (WHERE o.state IN ('failed', 'suppressed', 'dropped')),
        pg_catalog.array_agg(o.id) FILTER (WHERE o.state = 'queued' AND o.round > 0) INTO in_vain, again FROM ours o;
    IF in_vain IS NOT NULL THEN
        PERFORM tocsin.pass_turns(project, in_vain);
    END IF;
    IF again IS NOT NULL THEN
        UPDATE tocsin.deliveries d
        SET state = 'cancelled', finished_at = pg_catalog.clock_timestamp(), last_error = 'acknowledged'
        WHERE d.project_id = project AND d.id = ANY (again) AND (SELECT n.acked_at FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = d.notification_id) IS NOT NULL;
    END IF;
    IF pg_catalog.cardinality(untouched) > 0 THEN
        UPDATE tocsin.deliveries d
        SET state = 'queued', ready = true, crashes = d.crashes - 1, lease_token = NULL, lease_until = NULL
        WHERE d.project_id = project AND d.id = ANY (untouched) AND d.lease_token = token;
    END IF;
END $$;
"""
