"""Silence when it is due: preferences, quiet hours, throttles, active times of rules (R4)."""

from tocsin.kit.migrate import as_owner, as_pipeline, at_once, build_index
from tocsin.kit.walls import Kind, for_pipeline, walled

revision = "0038"
down_revision = "0037"

TABLES: dict[str, Kind] = {"throttles": "traffic"}


def upgrade() -> None:
    at_once("ALTER TABLE tocsin.users ADD COLUMN IF NOT EXISTS wishes boolean NOT NULL DEFAULT false")
    at_once("ALTER TABLE tocsin.notification_recipients ADD COLUMN IF NOT EXISTS silent_until timestamptz")
    build_index("users_wishing", "users", "(project_id, id) WHERE wishes")
    build_index("rules_restrained", "rules", "(project_id, id) WHERE throttle IS NOT NULL OR active_times IS NOT NULL")
    build_index("deliveries_withheld", "deliveries", "(due_at) WHERE state = 'held'")
    as_owner(THROTTLES)
    for table, kind in TABLES.items():
        as_owner("\n".join(walled(table, kind)))
        as_owner(for_pipeline(table))
    as_owner(CLOCK)
    as_owner(WITHHOLDING)
    as_owner(WRITING)
    as_owner(INSISTING)
    as_owner(RELEASING)
    as_pipeline(DUE)
    as_pipeline(WAITING)


# How often a rule told a person since its window began. The row is the lock that makes it exact.
THROTTLES = """
CREATE TABLE tocsin.throttles (
    project_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    rule_id uuid NOT NULL,
    user_id uuid NOT NULL,
    times integer NOT NULL,
    ends_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, env, rule_id, user_id),
    FOREIGN KEY (project_id, rule_id) REFERENCES tocsin.rules (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX throttles_rule ON tocsin.throttles (project_id, rule_id);
CREATE INDEX throttles_user ON tocsin.throttles (project_id, user_id);
CREATE INDEX throttles_over ON tocsin.throttles (ends_at);
GRANT SELECT (project_id, env, rule_id, user_id, ends_at), UPDATE (ends_at), DELETE ON tocsin.throttles TO {pipeline};
"""

# A wall clock shows some times twice and leaves some out. Of two moments `late` chooses; what is left out is the moment
# at which the clock jumps over it. PostgreSQL itself takes the later one of two, and goes on past a gap by its length.
# Hours that begin in the doubled hour begin with its first moment, and end with its last: in doubt it is quiet.
CLOCK = """
CREATE FUNCTION tocsin.moment_of(wall timestamp, zone text, late boolean) RETURNS timestamptz
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    moment timestamptz := wall AT TIME ZONE zone;
    shown timestamp := moment AT TIME ZONE zone;
    before timestamptz := moment - interval '25 hours';
    earlier timestamptz;
BEGIN
    IF shown > wall THEN
        RETURN (SELECT min(m) FROM pg_catalog.generate_series(moment - (shown - wall), moment, interval '1 minute') AS m
            WHERE m AT TIME ZONE zone > wall);
    END IF;
    IF NOT late THEN
        earlier := (wall - ((before AT TIME ZONE zone) - (before AT TIME ZONE 'UTC'))) AT TIME ZONE 'UTC';
        IF earlier < moment AND earlier AT TIME ZONE zone = wall THEN
            RETURN earlier;
        END IF;
    END IF;
    RETURN moment;
END $$;
CREATE FUNCTION tocsin.known_zone(zone text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pg_catalog.now() AT TIME ZONE zone;
    RETURN zone;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN 'UTC';
END $$;
-- The hours that begin on one day, where they do: `days` names it, or nothing does.
CREATE FUNCTION tocsin.hours_of(hours json, zone text, day date, OUT starts timestamptz, OUT ends timestamptz)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    opens time := hours->>'from';
    closes time := hours->>'to';
BEGIN
    IF hours->'days' IS NULL OR pg_catalog.json_typeof(hours->'days') = 'null' OR EXISTS (
        SELECT FROM pg_catalog.json_array_elements_text(hours->'days') AS d (name)
        WHERE d.name = (ARRAY['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])[extract(isodow FROM day)::integer]) THEN
        starts := tocsin.moment_of(day + opens, zone, false);
        ends := tocsin.moment_of(day + CASE WHEN closes > opens THEN 0 ELSE 1 END + closes, zone, true);
    END IF;
END $$;
-- Until when it is quiet at this moment, neighbouring days together; null where it is not.
CREATE FUNCTION tocsin.quiet_until(hours json, zone text, moment timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    place text := tocsin.known_zone(zone);
    today date := moment AT TIME ZONE place;
    until timestamptz;
    h record;
BEGIN
    FOR nth IN -1..8 LOOP
        SELECT * INTO h FROM tocsin.hours_of(hours, place, today + nth);
        EXIT WHEN h.starts > coalesce(until, moment);
        IF h.ends > coalesce(until, moment) THEN
            until := h.ends;
        END IF;
    END LOOP;
    RETURN until;
END $$;
-- When hours begin again; null where they have not ended.
CREATE FUNCTION tocsin.active_again(hours json, zone text, moment timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    place text := tocsin.known_zone(zone);
    today date := moment AT TIME ZONE place;
    h record;
BEGIN
    FOR nth IN -1..8 LOOP
        SELECT * INTO h FROM tocsin.hours_of(hours, place, today + nth);
        IF h.starts <= moment AND h.ends > moment THEN
            RETURN NULL;
        ELSIF h.starts > moment AND h.ends > h.starts THEN
            RETURN h.starts;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE FUNCTION tocsin.zone_here(project uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(p.settings->>'timezone', 'UTC') FROM tocsin.projects p WHERE p.id = project
$$;
-- Rules that do not match now, each with the reason: outside of their active times, and not waiting for them.
CREATE FUNCTION tocsin.idle_rules(project uuid, environment text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    RETURN (
        SELECT pg_catalog.json_object_agg(i.id, 'outside of its active times, which begin again '
            || pg_catalog.to_char(i.again AT TIME ZONE i.zone, 'YYYY-MM-DD HH24:MI ') || i.zone)
        FROM (
            SELECT r.id, z.zone, tocsin.active_again(r.active_times, z.zone, pg_catalog.now()) AS again
            FROM tocsin.rules r CROSS JOIN LATERAL (SELECT tocsin.known_zone(
                coalesce(r.active_times->>'timezone', tocsin.zone_here(project))) AS zone) z
            WHERE r.project_id = project AND (r.throttle IS NOT NULL OR r.active_times IS NOT NULL)
                AND r.active AND r.active_times->>'outside' = 'skip') i
        WHERE i.again IS NOT NULL);
END $$;
REVOKE ALL ON FUNCTION tocsin.moment_of, tocsin.known_zone, tocsin.hours_of, tocsin.quiet_until, tocsin.active_again,
    tocsin.zone_here, tocsin.idle_rules FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.moment_of, tocsin.known_zone, tocsin.hours_of, tocsin.quiet_until, tocsin.active_again,
    tocsin.zone_here, tocsin.idle_rules TO {app};
"""

# The one place that knows what is not sent, and until when: for what was just written, what insists, and what was held.
# A person's wishes come first, then the rule's throttle, then the hours of both. The feed has everything; over sockets it
# comes without a sound, whatever the rule's channels: a pair of notification and person stands for that, with no id.
WITHHOLDING = """
CREATE FUNCTION tocsin.may_withhold(project uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM tocsin.users u WHERE u.project_id = project AND u.wishes)
        OR EXISTS (SELECT FROM tocsin.rules r
            WHERE r.project_id = project AND (r.throttle IS NOT NULL OR r.active_times IS NOT NULL))
        OR EXISTS (SELECT FROM tocsin.projects p
            WHERE p.id = project AND pg_catalog.json_typeof(p.settings->'quietHours') = 'object')
$$;
-- What is not sent now, each with the reason and until when; no time: not at all. A row without an id is for the sockets of
-- a person, with their live delivery where there is one. ``fresh``: it counts towards the throttles of the rules.
-- Left to loops, the planner goes through all people again for each delivery: 20 s for 10,000.
CREATE FUNCTION tocsin.judge_deliveries(project uuid, environment text, ids uuid[], fresh boolean)
    RETURNS TABLE (id uuid, live uuid, notification_id uuid, user_id uuid, until timestamptz, reason text)
    LANGUAGE plpgsql SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    here text := tocsin.zone_here(project);
    usual json := (SELECT p.settings->'quietHours' FROM tocsin.projects p
        WHERE p.id = project AND pg_catalog.json_typeof(p.settings->'quietHours') = 'object');
BEGIN
    RETURN QUERY
    WITH made AS MATERIALIZED (
        SELECT d.id, d.notification_id, d.user_id, d.channel, d.state, d.round
        FROM pg_catalog.unnest(ids) AS w (id) CROSS JOIN LATERAL (
            SELECT * FROM tocsin.deliveries d WHERE d.project_id = project AND d.id = w.id OFFSET 0) d
        WHERE d.state IN ('queued', 'sent')
    ), meant AS MATERIALIZED (
        SELECT m.* FROM made m WHERE m.state = 'queued'
        UNION ALL
        SELECT DISTINCT NULL::uuid, m.notification_id, m.user_id, 'realtime', 'sent', m.round
        FROM made m WHERE m.user_id IS NOT NULL
    ), notes AS MATERIALIZED (
        SELECT n.id, n.topic, n.rule_id, n.priority = 'critical' AS critical, r.throttle, a.zone AS rule_zone,
            CASE WHEN n.priority <> 'critical' AND r.active_times->>'outside' = 'hold'
                THEN tocsin.active_again(r.active_times, a.zone, now()) END AS idle_until
        FROM (SELECT DISTINCT m.notification_id FROM made m) w
        CROSS JOIN LATERAL (SELECT * FROM tocsin.notifications n
            WHERE n.project_id = project AND n.id = w.notification_id OFFSET 0) n
        LEFT JOIN LATERAL (SELECT * FROM tocsin.rules r
            WHERE r.project_id = project AND r.id = n.rule_id OFFSET 0) r ON true
        CROSS JOIN LATERAL (SELECT CASE WHEN r.active_times IS NOT NULL
            THEN tocsin.known_zone(coalesce(r.active_times->>'timezone', here)) END AS zone) a
    ), people AS MATERIALIZED (
        SELECT u.id, u.preferences, coalesce(u.timezone, here) AS zone,
            CASE WHEN u.preferences->'quietHours' IS NULL THEN usual
                WHEN pg_catalog.json_typeof(u.preferences->'quietHours') = 'object' THEN u.preferences->'quietHours'
                END AS hours
        FROM (SELECT DISTINCT m.user_id FROM made m) w CROSS JOIN LATERAL (
            SELECT * FROM tocsin.users u WHERE u.project_id = project AND u.id = w.user_id
                AND (u.wishes OR usual IS NOT NULL) OFFSET 0) u
    ), nights AS MATERIALIZED (
        SELECT h.hours, h.zone AS said, tocsin.known_zone(h.zone) AS zone,
            tocsin.quiet_until(h.hours::json, h.zone, now()) AS until
        FROM (SELECT DISTINCT p.hours::text AS hours, p.zone FROM people p WHERE p.hours IS NOT NULL) h
    ), wished AS MATERIALIZED (
        SELECT m.*, n.rule_id, n.throttle, n.idle_until, n.rule_zone, q.zone,
            CASE WHEN t.wish->>'muted' = 'true' THEN 'preferences: the topic ' || n.topic || ' is muted'
                WHEN p.preferences->'channels'->>m.channel = 'false'
                    THEN 'preferences: ' || m.channel || ' is switched off'
                WHEN pg_catalog.json_typeof(t.wish->'channels') = 'array' AND m.channel NOT IN (
                    SELECT pg_catalog.json_array_elements_text(t.wish->'channels'))
                    THEN 'preferences: the topic ' || n.topic || ' does not come by ' || m.channel
                END AS refused,
            CASE WHEN NOT n.critical AND coalesce(t.wish->>'ignoreQuietHours', 'false') <> 'true' AND (
                coalesce(pg_catalog.json_typeof(p.hours->'channels'), 'null') = 'null'
                OR m.channel IN (SELECT pg_catalog.json_array_elements_text(p.hours->'channels')))
                THEN q.until END AS quiet_until
        FROM meant m JOIN notes n ON n.id = m.notification_id
        LEFT JOIN people p ON p.id = m.user_id
        LEFT JOIN LATERAL (SELECT p.preferences->'topics'->n.topic AS wish) t ON true
        LEFT JOIN nights q ON q.hours = p.hours::text AND q.said = p.zone
    ), coming AS MATERIALIZED (
        SELECT w.rule_id, w.user_id, w.notification_id, (w.throttle->>'max')::integer AS most,
            (w.throttle->>'per_seconds')::integer AS seconds,
            row_number() OVER (PARTITION BY w.rule_id, w.user_id ORDER BY w.notification_id) AS nth,
            count(*) OVER (PARTITION BY w.rule_id, w.user_id) AS times
        FROM (SELECT DISTINCT ON (w.rule_id, w.user_id, w.notification_id) * FROM wished w
            WHERE fresh AND w.round = 0 AND w.throttle IS NOT NULL AND w.user_id IS NOT NULL AND w.refused IS NULL) w
    ), counted AS (
        INSERT INTO tocsin.throttles AS t (project_id, env, rule_id, user_id, times, ends_at)
        SELECT project, environment, c.rule_id, c.user_id, c.times, now() + pg_catalog.make_interval(secs => c.seconds)
        FROM coming c WHERE c.nth = 1 ORDER BY c.rule_id, c.user_id
        ON CONFLICT (project_id, env, rule_id, user_id) DO UPDATE SET
            times = CASE WHEN t.ends_at <= now() THEN excluded.times ELSE t.times + excluded.times END,
            ends_at = CASE WHEN t.ends_at <= now() THEN excluded.ends_at ELSE t.ends_at END
        RETURNING t.rule_id, t.user_id, t.times
    ), throttled AS MATERIALIZED (
        SELECT c.notification_id, c.user_id, 'throttle: at most ' || c.most || ' in ' || c.seconds || ' s' AS reason
        FROM coming c JOIN counted k USING (rule_id, user_id) WHERE k.times - c.times + c.nth > c.most
    ), judged AS MATERIALIZED (
        SELECT w.id, w.notification_id, w.user_id,
            CASE WHEN r.reason IS NULL THEN greatest(w.quiet_until, w.idle_until) END AS until,
            coalesce(r.reason, CASE WHEN w.quiet_until >= coalesce(w.idle_until, w.quiet_until)
                THEN 'quiet hours until ' || pg_catalog.to_char(w.quiet_until AT TIME ZONE w.zone, 'HH24:MI ') || w.zone
                ELSE 'active times from ' || pg_catalog.to_char(w.idle_until AT TIME ZONE w.rule_zone, 'HH24:MI ')
                    || w.rule_zone END) AS reason
        FROM wished w LEFT JOIN throttled t USING (notification_id, user_id)
        CROSS JOIN LATERAL (SELECT coalesce(w.refused, t.reason) AS reason) r
        WHERE coalesce(r.reason, w.quiet_until::text, w.idle_until::text) IS NOT NULL
    )
    SELECT j.id, m.id, j.notification_id, j.user_id, j.until, j.reason
    FROM judged j LEFT JOIN made m ON j.id IS NULL AND m.state = 'sent' AND m.channel = 'realtime'
        AND m.notification_id = j.notification_id AND m.user_id = j.user_id;
END $$;
-- Those of the deliveries that are not sent at all. Whoever acknowledges holds the recipient and waits for what insists,
-- so this waits for no recipient.
CREATE FUNCTION tocsin.withhold(project uuid, environment text, ids uuid[], fresh boolean) RETURNS uuid[]
    LANGUAGE plpgsql SET enable_nestloop = on AS $$
DECLARE
    dropped uuid[];
BEGIN
    WITH judged AS MATERIALIZED (
        SELECT * FROM tocsin.judge_deliveries(project, environment, ids, fresh)
    ), free AS MATERIALIZED (
        SELECT r.notification_id, r.user_id, coalesce(j.until, 'infinity') AS until
        FROM judged j JOIN tocsin.notification_recipients r
            ON r.project_id = project AND r.notification_id = j.notification_id AND r.user_id = j.user_id
        WHERE j.id IS NULL FOR NO KEY UPDATE OF r SKIP LOCKED
    ), silenced AS (
        UPDATE tocsin.notification_recipients r SET silent_until = f.until FROM free f
        WHERE r.project_id = project AND r.notification_id = f.notification_id AND r.user_id = f.user_id
    ), quietly AS (
        UPDATE tocsin.deliveries d SET last_error = 'silently: ' || j.reason FROM judged j
        WHERE d.project_id = project AND d.id = j.live
    ), withheld AS (
        UPDATE tocsin.deliveries d SET state = CASE WHEN j.until IS NULL THEN 'dropped' ELSE 'held' END, ready = false,
            due_at = coalesce(j.until, d.due_at), last_error = j.reason,
            finished_at = CASE WHEN j.until IS NULL THEN now() END
        FROM judged j WHERE d.project_id = project AND d.id = j.id
        RETURNING d.id, d.state
    )
    SELECT pg_catalog.array_agg(w.id) INTO dropped FROM withheld w WHERE w.state = 'dropped';
    RETURN dropped;
END $$;
REVOKE ALL ON FUNCTION tocsin.may_withhold, tocsin.judge_deliveries, tocsin.withhold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.may_withhold, tocsin.judge_deliveries, tocsin.withhold TO {app};
"""

# As before, and with what is withheld. Which deliveries have ended is asked for, since it no longer follows from what
# the worker made.
WRITING = """
CREATE OR REPLACE FUNCTION tocsin.write_matched_and_tell(project uuid, environment text, token uuid, decided json, made json)
    RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    ours uuid[] := tocsin.write_matched(project, environment, token, decided, made);
    written uuid[];
BEGIN
    IF pg_catalog.json_array_length(made) = 0 THEN
        RETURN ours;
    END IF;
    IF tocsin.may_withhold(project) THEN
        written := tocsin.deliveries_made(ours, made);
        PERFORM tocsin.withhold(project, environment, written, true);
    END IF;
    IF tocsin.deliveries_are_heard(project) THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, ARRAY(
            SELECT d.id FROM pg_catalog.unnest(coalesce(written, tocsin.deliveries_made(ours, made))) AS w (id)
            CROSS JOIN LATERAL (SELECT * FROM tocsin.deliveries d
                WHERE d.project_id = project AND d.id = w.id OFFSET 0) d
            WHERE d.state IN ('sent', 'dropped')));
    END IF;
    RETURN ours;
END $$;
CREATE FUNCTION tocsin.deliveries_made(ours uuid[], made json) RETURNS uuid[] LANGUAGE sql STABLE AS $$
    SELECT ARRAY(
        SELECT i.id::uuid
        FROM pg_catalog.json_to_recordset(made) AS n (event_id uuid, deliveries json)
        CROSS JOIN LATERAL pg_catalog.json_to_recordset(n.deliveries) AS d (ids json)
        CROSS JOIN LATERAL pg_catalog.json_array_elements_text(d.ids) AS i (id)
        WHERE n.event_id = ANY (ours))
$$;
REVOKE ALL ON FUNCTION tocsin.deliveries_made FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.deliveries_made TO {app};
"""

# What insists keeps the same hours: of a place one repeat waits at most, since there is none where the last still waits.
INSISTING = """
CREATE FUNCTION tocsin.insist_in_hours(project uuid, environment text, ids uuid[]) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    acted uuid[] := tocsin.insist(project, environment, ids);
BEGIN
    IF pg_catalog.cardinality(acted) > 0 AND tocsin.may_withhold(project) THEN
        PERFORM tocsin.withhold_and_tell(project, environment, ARRAY(
            SELECT d.id FROM pg_catalog.unnest(acted) AS w (id) CROSS JOIN LATERAL (
                SELECT * FROM tocsin.deliveries d
                WHERE d.project_id = project AND d.notification_id = w.id AND d.created_at = now() OFFSET 0) d));
    END IF;
    RETURN acted;
END $$;
CREATE FUNCTION tocsin.withhold_and_tell(project uuid, environment text, ids uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    dropped uuid[] := tocsin.withhold(project, environment, ids, false);
BEGIN
    IF dropped IS NOT NULL AND tocsin.deliveries_are_heard(project) THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, dropped);
    END IF;
END $$;
REVOKE ALL ON FUNCTION tocsin.insist_in_hours, tocsin.withhold_and_tell FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.insist_in_hours, tocsin.withhold_and_tell TO {app};
"""

# What was held is judged once more by what is wished and ruled now. Who has read it meanwhile is told nothing more.
RELEASING = """
CREATE FUNCTION tocsin.release_held(project uuid, environment text, ids uuid[]) RETURNS integer
    LANGUAGE plpgsql SET enable_nestloop = on AS $$
DECLARE
    freed uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    WITH due AS MATERIALIZED (
        SELECT d.id, d.notification_id, d.user_id FROM tocsin.deliveries d
        WHERE d.project_id = project AND d.id = ANY (ids) AND d.state = 'held' AND d.due_at <= now()
        FOR UPDATE SKIP LOCKED
    ), looked AS MATERIALIZED (
        SELECT d.id, EXISTS (SELECT FROM tocsin.notification_recipients r
            WHERE r.project_id = project AND r.notification_id = d.notification_id AND r.user_id = d.user_id
                AND (r.read_at IS NOT NULL OR r.acked_at IS NOT NULL)) AS read
        FROM due d
    ), moved AS (
        UPDATE tocsin.deliveries d SET state = CASE WHEN l.read THEN 'cancelled' ELSE 'queued' END, ready = NOT l.read,
            last_error = CASE WHEN l.read THEN 'read meanwhile' END, finished_at = CASE WHEN l.read THEN now() END
        FROM looked l WHERE d.project_id = project AND d.id = l.id
        RETURNING d.id, d.state
    )
    SELECT pg_catalog.array_agg(m.id) INTO freed FROM moved m WHERE m.state = 'queued';
    IF freed IS NOT NULL AND tocsin.may_withhold(project) THEN
        PERFORM tocsin.withhold_and_tell(project, environment, freed);
    END IF;
    RETURN coalesce(pg_catalog.cardinality(freed), 0);
END $$;
REVOKE ALL ON FUNCTION tocsin.release_held FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.release_held TO {app};
"""

# The longest due first. Those of a project that is halted are released as well, and wait in the queue.
DUE = """
CREATE FUNCTION tocsin.due_held(most integer) RETURNS TABLE (project_id uuid, env text, ids uuid[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.project_id, d.env, pg_catalog.array_agg(d.id) FROM (
        SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
        WHERE d.state = 'held' AND d.due_at <= pg_catalog.now() ORDER BY d.due_at LIMIT most) d
    GROUP BY d.project_id, d.env
$$;
CREATE FUNCTION tocsin.tidy_throttles(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH gone AS (
        DELETE FROM tocsin.throttles WHERE (project_id, env, rule_id, user_id) IN (
            SELECT t.project_id, t.env, t.rule_id, t.user_id FROM tocsin.throttles t
            WHERE t.ends_at < pg_catalog.now() ORDER BY t.ends_at LIMIT most FOR UPDATE SKIP LOCKED) RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION tocsin.due_held, tocsin.tidy_throttles FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.due_held, tocsin.tidy_throttles TO {app};
"""

# As before, and with what was held and is due.
WAITING = """
CREATE OR REPLACE FUNCTION tocsin.waiting_stages() RETURNS text[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT ARRAY(SELECT s.name FROM (VALUES
        ('match', EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'received' AND e.claims = 0)
            OR EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'received' AND e.claims > 0)),
        ('send', EXISTS (SELECT FROM tocsin.deliveries d WHERE d.state = 'queued' AND d.ready)),
        ('clock', EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'queued' AND NOT d.ready AND d.due_at <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.deliveries d WHERE d.state = 'held' AND d.due_at <= pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.events e WHERE e.state = 'leased' AND e.lease_until < pg_catalog.now())
            OR EXISTS (SELECT FROM tocsin.deliveries d
                WHERE d.state = 'leased' AND d.lease_until < pg_catalog.now())),
        ('mail', EXISTS (SELECT FROM tocsin.mails m
            WHERE m.state = 'queued' AND m.env = 'live' AND m.due_at <= pg_catalog.now())),
        ('seal', EXISTS (SELECT FROM tocsin.audit_log a WHERE a.seq IS NULL)),
        ('quotas', EXISTS (SELECT FROM tocsin.quota_notices n WHERE n.told_at IS NULL))
    ) AS s (name, waits) WHERE s.waits)
$$;
"""
