"""The audit log as a chain of hashes per project that the application cannot rewrite."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    as_owner(DIGESTS)
    as_owner(CHAIN)
    as_owner("\n".join([*walled("audit_heads", "account"), for_pipeline("audit_heads"), for_pipeline("audit_log")]))
    as_owner(GRANTS)
    as_pipeline(SEALING)


# Made when the row is: whoever seals it later need not read what people wrote. Each part of a digest has its
# length in front (-1 for null), so that no two different entries are written alike.
DIGESTS = """
CREATE FUNCTION tocsin.framed(VARIADIC parts text[]) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT pg_catalog.string_agg(
        CASE WHEN p.part IS NULL THEN pg_catalog.int4send(-1)
            ELSE pg_catalog.int4send(pg_catalog.length(pg_catalog.convert_to(p.part, 'UTF8')))
                || pg_catalog.convert_to(p.part, 'UTF8') END, ''::bytea ORDER BY p.place)
        FROM pg_catalog.unnest(parts) WITH ORDINALITY AS p (part, place));
ALTER TABLE tocsin.audit_log
    ADD details_salt bytea,
    ADD details_digest bytea,
    ADD origin_salt bytea,
    ADD origin_digest bytea,
    ADD erased_at timestamptz,
    ADD seq bigint,
    ADD hash bytea;
CREATE FUNCTION tocsin.digest_audit_entry() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    NEW.details_salt := pg_catalog.uuid_send(pg_catalog.gen_random_uuid());
    NEW.details_digest := pg_catalog.sha256(NEW.details_salt || tocsin.framed(NEW.metadata::text));
    NEW.origin_salt := pg_catalog.uuid_send(pg_catalog.gen_random_uuid());
    NEW.origin_digest := pg_catalog.sha256(NEW.origin_salt || tocsin.framed(NEW.ip_address, NEW.user_agent));
    RETURN NEW;
END $$;
CREATE TRIGGER digest BEFORE INSERT ON tocsin.audit_log
    FOR EACH ROW EXECUTE FUNCTION tocsin.digest_audit_entry();
UPDATE tocsin.audit_log SET
    details_salt = pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
    origin_salt = pg_catalog.uuid_send(pg_catalog.gen_random_uuid());
UPDATE tocsin.audit_log SET
    details_digest = pg_catalog.sha256(details_salt || tocsin.framed(metadata::text)),
    origin_digest = pg_catalog.sha256(origin_salt || tocsin.framed(ip_address, user_agent));
REVOKE ALL ON FUNCTION tocsin.framed, tocsin.digest_audit_entry FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.framed TO {app}, {pipeline};
"""

CHAIN = """
CREATE UNIQUE INDEX audit_log_seq ON tocsin.audit_log (project_id, seq);
CREATE INDEX audit_log_unsealed ON tocsin.audit_log (project_id, id) WHERE seq IS NULL;
CREATE INDEX audit_log_action ON tocsin.audit_log (project_id, action, id);
CREATE INDEX audit_log_actor ON tocsin.audit_log (project_id, actor_id, id);
CREATE INDEX audit_log_resource ON tocsin.audit_log (project_id, resource_id, id);
CREATE TABLE tocsin.audit_heads (
    project_id uuid PRIMARY KEY REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    seq bigint NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now()
);
"""

# The application adds entries and reads them. What it may not fill in, the database does.
GRANTS = """
REVOKE INSERT, UPDATE, DELETE ON tocsin.audit_log FROM {app};
GRANT INSERT (project_id, id, env, action, actor_type, actor_id, resource_type, resource_id, metadata,
    ip_address, user_agent, request_id) ON tocsin.audit_log TO {app};
REVOKE INSERT, UPDATE, DELETE ON tocsin.audit_heads FROM {app};
GRANT SELECT (project_id, id, env, action, actor_type, actor_id, resource_type, resource_id, request_id, at,
    details_digest, origin_digest, erased_at, seq, hash),
    UPDATE (seq, hash, metadata, details_salt, ip_address, user_agent, origin_salt, erased_at)
    ON tocsin.audit_log TO {pipeline};
GRANT DELETE ON tocsin.audit_log TO {pipeline};
GRANT SELECT, INSERT, UPDATE ON tocsin.audit_heads TO {pipeline};
GRANT SELECT (closed_at) ON tocsin.projects TO {pipeline};
"""

# One sealer per project and moment (the lock); the unique index on seq would refuse a fork even without it.
# Projects with something to seal are found by stepping through the index, as the queue finds its work.
# -1 says that a chain cannot be carried on: its head is gone, or its next place is taken.
SEALING = """
CREATE FUNCTION tocsin.seal_audit(after uuid, most_projects integer, most_each integer)
    RETURNS TABLE (project uuid, sealed integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    entry record;
    last_seq bigint;
    last_hash bytea;
BEGIN
    FOR project IN
        WITH RECURSIVE waiting AS (
            (SELECT a.project_id FROM tocsin.audit_log a
             WHERE a.seq IS NULL AND a.project_id > after ORDER BY a.project_id LIMIT 1)
            UNION ALL
            SELECT (SELECT a.project_id FROM tocsin.audit_log a
                    WHERE a.seq IS NULL AND a.project_id > w.project_id ORDER BY a.project_id LIMIT 1)
            FROM waiting w WHERE w.project_id IS NOT NULL
        )
        SELECT w.project_id FROM waiting w WHERE w.project_id IS NOT NULL LIMIT most_projects
    LOOP
        CONTINUE WHEN NOT pg_catalog.pg_try_advisory_xact_lock(
            pg_catalog.hashtextextended('tocsin audit ' || project, 0));
        sealed := 0;
        BEGIN
            SELECT h.seq, h.hash INTO last_seq, last_hash FROM tocsin.audit_heads h WHERE h.project_id = project;
            IF NOT FOUND THEN
                last_seq := 0;
                last_hash := pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex');
            END IF;
            FOR entry IN
                SELECT a.project_id, a.id, a.env, a.action, a.actor_type, a.actor_id, a.resource_type, a.resource_id,
                    a.request_id, a.at, a.details_digest, a.origin_digest
                FROM tocsin.audit_log a WHERE a.project_id = project AND a.seq IS NULL ORDER BY a.id LIMIT most_each
            LOOP
                last_seq := last_seq + 1;
                last_hash := pg_catalog.sha256(last_hash || pg_catalog.int8send(last_seq) || tocsin.framed(
                    entry.project_id::text, entry.id::text, entry.env, entry.action, entry.actor_type, entry.actor_id,
                    entry.resource_type, entry.resource_id, entry.request_id,
                    (extract(epoch FROM entry.at) * 1000000)::bigint::text)
                    || entry.details_digest || entry.origin_digest);
                UPDATE tocsin.audit_log a SET seq = last_seq, hash = last_hash
                WHERE a.project_id = project AND a.id = entry.id;
                sealed := sealed + 1;
            END LOOP;
            INSERT INTO tocsin.audit_heads AS h (project_id, seq, hash) VALUES (project, last_seq, last_hash)
            ON CONFLICT (project_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, sealed_at = pg_catalog.now();
        EXCEPTION WHEN unique_violation OR foreign_key_violation THEN
            sealed := -1;
        END;
        RETURN NEXT;
    END LOOP;
END $$;
CREATE FUNCTION tocsin.audit_heads_since(since timestamptz, after uuid, most integer)
    RETURNS TABLE (project_id uuid, seq bigint, hash bytea, sealed_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT h.project_id, h.seq, h.hash, h.sealed_at FROM tocsin.audit_heads h
    WHERE h.project_id > after AND h.sealed_at >= since ORDER BY h.project_id LIMIT most
$$;
-- What was written about a person, and from where the person acted. The entries stay, and so does their chain.
CREATE FUNCTION tocsin.erase_audit_details(person text) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH details AS (
        UPDATE tocsin.audit_log a SET metadata = NULL, details_salt = NULL, erased_at = pg_catalog.now()
        WHERE a.project_id = tocsin.current_project() AND a.resource_id = person AND a.action <> 'audit.erased'
            AND a.actor_id IS DISTINCT FROM person
        RETURNING 1
    ), origins AS (
        UPDATE tocsin.audit_log a SET ip_address = NULL, user_agent = NULL, origin_salt = NULL,
            erased_at = pg_catalog.now()
        WHERE a.project_id = tocsin.current_project() AND a.actor_id = person
            AND a.resource_id IS DISTINCT FROM person
        RETURNING 1
    ), both_ AS (
        UPDATE tocsin.audit_log a SET metadata = NULL, details_salt = NULL, ip_address = NULL, user_agent = NULL,
            origin_salt = NULL, erased_at = pg_catalog.now()
        WHERE a.project_id = tocsin.current_project() AND a.actor_id = person AND a.resource_id = person
            AND a.action <> 'audit.erased'
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM details) + (SELECT count(*) FROM origins) + (SELECT count(*) FROM both_)
$$;
-- Step by step, of a project whose purge has begun; the rest goes with the project's own row.
CREATE FUNCTION tocsin.purge_audit(most integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH gone AS (
        DELETE FROM tocsin.audit_log a USING (
            SELECT q.project_id, q.id FROM tocsin.audit_log q
            JOIN tocsin.projects p ON p.id = q.project_id AND p.closed_at IS NOT NULL
            WHERE q.project_id = tocsin.current_project() LIMIT most) old
        WHERE a.project_id = old.project_id AND a.id = old.id RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION tocsin.seal_audit, tocsin.audit_heads_since, tocsin.erase_audit_details, tocsin.purge_audit
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.seal_audit, tocsin.audit_heads_since, tocsin.erase_audit_details,
    tocsin.purge_audit TO {app};
"""
