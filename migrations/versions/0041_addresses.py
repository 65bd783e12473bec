"""Telephone numbers that people prove by a code (C10); what becomes of text messages (D5)."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index
from tocsin.kit.walls import for_pipeline, walled

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    build_index(
        "deliveries_by_text",
        "deliveries",
        "(connection_id, provider_message_id) WHERE channel = 'sms' AND provider_message_id IS NOT NULL",
    )
    as_owner(CODES)
    as_owner("\n".join([*walled("phone_codes", "traffic"), for_pipeline("phone_codes")]))
    as_owner(GRANTS)
    as_pipeline(TIDY)
    as_pipeline(FIND)


CODES = """
CREATE TABLE tocsin.phone_codes (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid NOT NULL,
    number text NOT NULL,
    code_hash bytea NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX phone_codes_user ON tocsin.phone_codes (project_id, user_id);
CREATE INDEX phone_codes_project ON tocsin.phone_codes (project_id, created_at);
CREATE INDEX phone_codes_age ON tocsin.phone_codes (created_at);
"""

GRANTS = """
GRANT SELECT (project_id, id, created_at), UPDATE (created_at), DELETE ON tocsin.phone_codes TO {pipeline};
"""

# Longer than the day in which they are counted.
TIDY = """
CREATE FUNCTION tocsin.tidy_phone_codes(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH removed AS (
        DELETE FROM tocsin.phone_codes WHERE (project_id, id) IN (
            SELECT c.project_id, c.id FROM tocsin.phone_codes c
            WHERE c.created_at < pg_catalog.now() - interval '2 days' ORDER BY c.created_at
            LIMIT most FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION tocsin.tidy_phone_codes FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.tidy_phone_codes TO {app};
"""

# As before, and a text message; each of the two has an index of its own.
FIND = """
CREATE OR REPLACE FUNCTION tocsin.find_sent(connection_project uuid, connection uuid, message text)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
    WHERE d.connection_id = connection AND d.provider_message_id = message AND d.channel = 'whatsapp'
        AND d.connection_project = find_sent.connection_project
    UNION ALL
    SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
    WHERE d.connection_id = connection AND d.provider_message_id = message AND d.channel = 'sms'
        AND d.connection_project = find_sent.connection_project
$$;
"""
