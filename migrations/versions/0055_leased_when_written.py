"""What is due at once is written with the lease of the process that wrote it, which sends it without a claim."""

from tocsin.kit.migrate import as_owner

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    as_owner(WRITING)
    as_owner(LEASING)


# As before, and with a lease for what is to be sent, whose ids come back. Where none is given it is queued.
WRITING = """
CREATE FUNCTION tocsin.write_notifications(project uuid, environment text, made json, lease uuid, seconds integer)
    RETURNS uuid[] LANGUAGE plpgsql SET enable_nestloop = off AS $$
DECLARE
    until CONSTANT timestamptz := now() + pg_catalog.make_interval(secs => seconds);
    leased uuid[];
BEGIN
    INSERT INTO tocsin.notifications (project_id, env, id, event_id, event_type, client_event_id, rule_id,
        rule_version, title, message, action, sound, priority, require_ack, topic, internal, over_quota, sound_digest,
        translations, gathers)
    SELECT project, environment, n.* FROM pg_catalog.json_to_recordset(made) AS n (id uuid, event_id uuid, event_type text,
        client_event_id text, rule_id uuid, rule_version integer, title text, message text, action json, sound text,
        priority text, require_ack boolean, topic text, internal boolean, over_quota boolean,
        sound_digest text, translations json, gathers integer);
    WITH told AS MATERIALIZED (
        SELECT n.id, r.key::uuid AS user_id, r.value AS reason, count(*) OVER (PARTITION BY r.key) AS times,
            row_number() OVER (PARTITION BY r.key ORDER BY n.id) AS nth
        FROM pg_catalog.json_to_recordset(made) AS n (id uuid, recipients json)
        CROSS JOIN LATERAL pg_catalog.json_each_text(n.recipients) AS r
    ), raised AS (
        INSERT INTO tocsin.feeds (project_id, env, user_id, seq)
        SELECT project, environment, t.user_id, count(*) FROM told t GROUP BY t.user_id ORDER BY t.user_id
        ON CONFLICT (project_id, user_id, env) DO UPDATE SET seq = feeds.seq + excluded.seq
        RETURNING feeds.user_id, feeds.seq
    )
    INSERT INTO tocsin.notification_recipients (project_id, env, notification_id, user_id, reason, feed_seq)
    SELECT project, environment, t.id, t.user_id, t.reason, r.seq - t.times + t.nth FROM told t JOIN raised r USING (user_id);
    WITH written AS (
        INSERT INTO tocsin.deliveries
            (project_id, env, id, notification_id, user_id, address_id, destination_id, address, channel, rank, state,
            last_error, sent_at, finished_at, lease_token, lease_until, crashes)
        SELECT project, environment, p.id::uuid, n.id,
            CASE WHEN d.personal THEN coalesce(p.named, p.person)::uuid END, p.device::uuid,
            d.destination, d.address, d.channel, n.rank,
            CASE WHEN n.dropped IS NOT NULL THEN 'dropped' WHEN d.instant THEN 'sent'
                WHEN lease IS NOT NULL THEN 'leased' ELSE 'queued' END, n.dropped,
            CASE WHEN d.instant AND n.dropped IS NULL THEN now() END,
            CASE WHEN d.instant OR n.dropped IS NOT NULL THEN now() END, l.token,
            CASE WHEN l.token IS NOT NULL THEN until END,
            CASE WHEN l.token IS NOT NULL THEN 1 ELSE 0 END
        FROM pg_catalog.json_to_recordset(made)
            AS n (id uuid, rank smallint, dropped text, recipients json, deliveries json)
        CROSS JOIN LATERAL pg_catalog.json_to_recordset(n.deliveries)
            AS d (channel text, personal boolean, instant boolean, ids json, people json, devices json,
                destination uuid, address text)
        CROSS JOIN LATERAL ROWS FROM (
            pg_catalog.json_array_elements_text(d.ids), pg_catalog.json_object_keys(n.recipients),
            pg_catalog.json_array_elements_text(d.people), pg_catalog.json_array_elements_text(d.devices))
            AS p (id, person, named, device)
        CROSS JOIN LATERAL (SELECT CASE WHEN NOT d.instant AND n.dropped IS NULL THEN lease END AS token) l
        WHERE p.id IS NOT NULL
        RETURNING deliveries.id, deliveries.lease_token
    )
    SELECT pg_catalog.array_agg(w.id) INTO leased FROM written w WHERE w.lease_token IS NOT NULL;
    -- Looked for as text, so that nobody else pays for taking everything apart once more.
    IF pg_catalog.strpos(made::text, '"insist":{{') > 0 THEN
        INSERT INTO tocsin.insistences (project_id, env, notification_id, rank, personal, instant, after_seconds, every_seconds,
            most_times, repeats_at, steps, loops, escalates_at, due_at)
        SELECT project, environment, i.*, least(i.repeats_at, i.escalates_at) FROM (
            SELECT n.id, n.rank, n.insist->'personal',
                ARRAY(SELECT pg_catalog.json_array_elements_text(n.insist->'instant')),
                (n.in_order->>'after_seconds')::integer,
                (n.insist->>'every_seconds')::integer, (n.insist->>'most_times')::integer,
                now() + pg_catalog.make_interval(secs => (n.insist->>'every_seconds')::integer) AS repeats_at,
                coalesce(n.insist->'steps', '[]'), (n.insist->>'loops')::smallint,
                now() + pg_catalog.make_interval(secs => (n.insist->'steps'->0->>'after_seconds')::integer) AS escalates_at
            FROM pg_catalog.json_to_recordset(made) AS n (id uuid, rank smallint, dropped text, insist json, in_order json)
            WHERE pg_catalog.json_typeof(n.insist) = 'object' AND n.dropped IS NULL) i;
    END IF;
    IF pg_catalog.strpos(made::text, '"in_order":{{') > 0 THEN
        INSERT INTO tocsin.channel_turns
            (project_id, env, notification_id, user_id, rank, personal, after_seconds, due_at)
        SELECT project, environment, n.id, p.person::uuid, n.rank, n.in_order->'personal',
            (n.in_order->>'after_seconds')::integer,
            now() + pg_catalog.make_interval(secs => (n.in_order->>'after_seconds')::integer)
        FROM pg_catalog.json_to_recordset(made)
            AS n (id uuid, rank smallint, dropped text, recipients json, in_order json)
        CROSS JOIN LATERAL pg_catalog.json_object_keys(n.recipients) AS p (person)
        WHERE pg_catalog.json_typeof(n.in_order) = 'object' AND n.dropped IS NULL;
    END IF;
    IF pg_catalog.strpos(made::text, '"digest":{{') > 0 THEN
        PERFORM tocsin.gather(project, environment, made);
    END IF;
    RETURN coalesce(leased, ARRAY[]::uuid[]);
END $$;
CREATE OR REPLACE FUNCTION tocsin.write_notifications(project uuid, environment text, made json) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tocsin.write_notifications(project, environment, made, NULL, NULL);
END $$;
REVOKE ALL ON FUNCTION tocsin.write_notifications(uuid, text, json, uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.write_notifications(uuid, text, json, uuid, integer) TO {app};
"""

# What a claim would ask of a project: that it is not halted, and that nothing waits whose turn is before. What may be
# withheld or gathered is queued too. Forbidden to read all that waits, as claims are.
# `write_matched_and_tell` stays for the version before.
LEASING = """
CREATE FUNCTION tocsin.may_lease(project uuid, made json) RETURNS boolean
    LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    RETURN pg_catalog.strpos(made::text, '"digest":{{') = 0
        AND EXISTS (SELECT FROM tocsin.projects p
            WHERE p.id = project AND p.status NOT IN ('suspended', 'cancelled'))
        AND NOT EXISTS (SELECT FROM tocsin.deliveries d
            WHERE d.project_id = project AND d.state = 'queued' AND d.ready);
END $$;
-- Gives back the events whose lease was still this token's, since nothing is written of the others, and the deliveries
-- that are leased with the other one.
CREATE FUNCTION tocsin.write_matched_and_lease(project uuid, environment text, token uuid, decided json, made json,
    lease uuid, seconds integer, OUT ours uuid[], OUT leased uuid[]) LANGUAGE plpgsql AS $$
DECLARE
    kept json := made;
    withholding boolean;
    written uuid[];
BEGIN
    PERFORM pg_catalog.set_config('tocsin.project', project::text, true),
        pg_catalog.set_config('tocsin.env', environment, true);
    leased := ARRAY[]::uuid[];
    WITH finished AS (
        UPDATE tocsin.events e SET state = 'processed', outcome = d.outcome, trace = d.trace, faults = d.faults,
            processed_at = pg_catalog.clock_timestamp(), lease_token = NULL, lease_until = NULL
        FROM pg_catalog.json_to_recordset(decided) AS d (id uuid, outcome text, trace json, faults json)
        WHERE e.project_id = project AND e.id = d.id AND e.lease_token = token
        RETURNING e.id
    )
    SELECT coalesce(pg_catalog.array_agg(f.id), ARRAY[]::uuid[]) INTO ours FROM finished f;
    IF pg_catalog.cardinality(ours) < pg_catalog.json_array_length(decided) THEN
        SELECT coalesce(pg_catalog.json_agg(n), '[]') INTO kept
        FROM pg_catalog.json_array_elements(made) AS n WHERE (n->>'event_id')::uuid = ANY (ours);
    END IF;
    IF pg_catalog.json_array_length(kept) = 0 THEN
        RETURN;
    END IF;
    withholding := tocsin.may_withhold(project);
    IF lease IS NOT NULL AND (withholding OR NOT tocsin.may_lease(project, kept)) THEN
        lease := NULL;
    END IF;
    leased := tocsin.write_notifications(project, environment, kept, lease, seconds);
    IF withholding THEN
        written := tocsin.deliveries_made(ours, kept);
        PERFORM tocsin.withhold(project, environment, written, true);
    END IF;
    IF tocsin.deliveries_are_heard(project) THEN
        PERFORM tocsin.tell_of_deliveries(project, environment, ARRAY(
            SELECT d.id FROM pg_catalog.unnest(coalesce(written, tocsin.deliveries_made(ours, kept))) AS w (id)
            CROSS JOIN LATERAL (SELECT * FROM tocsin.deliveries d
                WHERE d.project_id = project AND d.id = w.id OFFSET 0) d
            WHERE d.state IN ('sent', 'dropped')));
    END IF;
END $$;
REVOKE ALL ON FUNCTION tocsin.may_lease, tocsin.write_matched_and_lease FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.may_lease, tocsin.write_matched_and_lease TO {app};
"""
