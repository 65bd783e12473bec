"""Clocks of rules (R6), starter rules (R5), and more of Tocsin's own occurrences (R7)."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0036"
down_revision = "0035"

TABLES: dict[str, Kind] = {"clocks": "traffic"}


def upgrade() -> None:
    build_index("events_internal", "events", "(project_id, type, id) WHERE internal")
    as_owner(STARTERS)
    as_owner(CLOCKS)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
        as_owner(for_pipeline(table))
    as_owner(PIPELINE_GRANTS)
    as_owner(PEOPLE)
    as_owner(OCCURRENCES)
    as_pipeline(DUE)
    as_pipeline(WAITING)


# A starter is installed once in each environment.
STARTERS = """
ALTER TABLE tocsin.rules ADD COLUMN starter text;
CREATE UNIQUE INDEX rules_starter_installed ON tocsin.rules (project_id, env, starter) WHERE starter IS NOT NULL;
"""

# One row for each active rule with a clock, so that the cost of looking follows what is due. ``last_at`` is the last look:
# a clock runs when there was a run after it.
CLOCKS = """
CREATE TABLE tocsin.clocks (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    rule_id uuid NOT NULL,
    clock json NOT NULL,
    last_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, rule_id),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE CASCADE
);
CREATE INDEX clocks_due ON tocsin.clocks (next_at);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, env, rule_id, next_at), UPDATE (next_at) ON tocsin.clocks TO {pipeline};
"""

# Which zones and times the people of a rule have, and who of some people have which: one truth for both.
PEOPLE = """
CREATE FUNCTION tocsin.clock_people(project uuid, people uuid[], summaries boolean)
    RETURNS TABLE (user_id uuid, zone text, chosen text) LANGUAGE sql STABLE AS $$
    SELECT u.id, coalesce(u.timezone, p.settings->>'timezone', 'UTC'),
        CASE WHEN summaries THEN u.preferences->'dailySummary'->>'time' END
    FROM tocsin.projects p CROSS JOIN LATERAL (
        SELECT * FROM tocsin.users u WHERE u.project_id = project AND u.id = ANY (people) OFFSET 0) u
    WHERE p.id = project AND (NOT summaries OR u.preferences->'dailySummary'->>'enabled' = 'true')
$$;
CREATE FUNCTION tocsin.clock_groups(project uuid, environment text, rule uuid, summaries boolean)
    RETURNS TABLE (zone text, chosen text) LANGUAGE sql AS $$
    SELECT DISTINCT c.zone, c.chosen FROM tocsin.clock_people(project, ARRAY(
        SELECT p.user_id FROM tocsin.active_people(project, environment,
            ARRAY(SELECT t.role_id FROM tocsin.rule_targets t WHERE t.project_id = project AND t.rule_id = rule
                AND t.role_id IS NOT NULL AND t.step IS NULL),
            ARRAY(SELECT t.user_id FROM tocsin.rule_targets t WHERE t.project_id = project AND t.rule_id = rule
                AND t.user_id IS NOT NULL AND t.step IS NULL)) p), summaries) c
$$;
CREATE FUNCTION tocsin.clock_members(project uuid, environment text, people uuid[], summaries boolean, of_zone text,
    of_choice text) RETURNS uuid[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN ARRAY(SELECT c.user_id FROM tocsin.clock_people(project, people, summaries) c
        WHERE c.zone = of_zone AND c.chosen IS NOT DISTINCT FROM of_choice);
END $$;
REVOKE ALL ON FUNCTION tocsin.clock_people, tocsin.clock_groups, tocsin.clock_members FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.clock_people, tocsin.clock_groups, tocsin.clock_members TO {app};
"""

# Deliveries that were given up, of each channel once an hour at most. Those that tell of an occurrence are none.
OCCURRENCES = """
CREATE FUNCTION tocsin.occur_failing(project uuid, environment text, ids uuid[]) RETURNS void
    LANGUAGE sql VOLATILE AS $$
    INSERT INTO tocsin.events (project_id, id, env, type, payload, source, internal)
    SELECT project, tocsin.new_id(), environment, 'tocsin.delivery.failing', pg_catalog.json_build_object(
        'channel', f.channel, 'deliveryId', f.id, 'notificationId', f.notification_id, 'userId', f.user_id,
        'connectionId', f.connection_id, 'error', f.last_error), 'tocsin', true
    FROM (
        SELECT DISTINCT ON (d.channel) d.channel, d.id, d.notification_id, d.user_id, d.connection_id, d.last_error
        FROM tocsin.deliveries d CROSS JOIN LATERAL (
            SELECT n.internal FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = d.notification_id OFFSET 0) n
        WHERE d.project_id = project AND d.id = ANY (ids) AND d.state = 'failed' AND NOT n.internal
        ORDER BY d.channel, d.id
    ) f
    WHERE NOT EXISTS (
        SELECT FROM tocsin.events e
        WHERE e.project_id = project AND e.internal AND e.type = 'tocsin.delivery.failing'
            AND e.id >= tocsin.first_id_at(pg_catalog.now() - interval '1 hour') AND e.payload->>'channel' = f.channel)
$$;
REVOKE ALL ON FUNCTION tocsin.occur_failing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.occur_failing TO {app};
-- As before, and with the occurrence. Looking for the letters costs next to nothing where nothing failed.
CREATE OR REPLACE FUNCTION tocsin.record_and_tell(project uuid, environment text, token uuid, results json, untouched uuid[])
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
    IF pg_catalog.strpos(results::text, '"failed"') > 0 THEN
        PERFORM tocsin.occur_failing(project, environment, ARRAY(
            SELECT r.delivery_id FROM pg_catalog.json_to_recordset(results) AS r (delivery_id uuid, state text)
            WHERE r.state = 'failed'));
    END IF;
END $$;
"""

# The longest due first. Those of a project that is halted are looked at again a minute later.
DUE = """
CREATE FUNCTION tocsin.due_clocks(most integer) RETURNS TABLE (project_id uuid, env text, rule_id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS MATERIALIZED (
        SELECT c.project_id, c.env, c.rule_id,
            EXISTS (SELECT FROM tocsin.projects p
                WHERE p.id = c.project_id AND p.status IN ('suspended', 'cancelled')) AS halted
        FROM tocsin.clocks c WHERE c.next_at <= pg_catalog.now() ORDER BY c.next_at LIMIT most
    ), later AS (
        UPDATE tocsin.clocks c SET next_at = pg_catalog.now() + interval '1 minute'
        FROM due d WHERE d.halted AND c.project_id = d.project_id AND c.rule_id = d.rule_id
    )
    SELECT d.project_id, d.env, d.rule_id FROM due d WHERE NOT d.halted
$$;
REVOKE ALL ON FUNCTION tocsin.due_clocks FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.due_clocks TO {app};
"""

WAITING = """
CREATE OR REPLACE FUNCTION tocsin.more_waiting_stages() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT ARRAY(SELECT s.name FROM (VALUES
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
        ('insist', EXISTS (SELECT FROM tocsin.insistences i WHERE i.due_at <= pg_catalog.now() + interval '1 second'))
    ) AS s (name, waits) WHERE s.waits)
$$;
"""
