"""Which connection of all projects has an account at a provider; texts that a provider has approved."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import walled

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    as_owner(CLAIMS)
    as_pipeline(CLAIMING)
    as_owner(TEMPLATES + "\n".join(walled("message_templates", "config")))


# A keyed hash of the provider and its name for the account: it is compared, and says nothing to whoever reads it.
CLAIMS = """
ALTER TABLE tocsin.connections ADD account_claim bytea;
CREATE UNIQUE INDEX connections_account_claimed ON tocsin.connections (account_claim);
GRANT SELECT (account_claim), UPDATE (account_claim) ON tocsin.connections TO {pipeline};
"""

# For a connection of the project whose scope it is. Several hashes are of several master keys, the present one's first.
# What is not proven, or is proven wrong, gives way to whoever proves the account now; a connection that is being
# changed at this moment does not, so that two never wait for each other.
CLAIMING = """
CREATE FUNCTION tocsin.claim_account(connection uuid, hashes bytea[]) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
    project uuid := tocsin.current_project();
BEGIN
    UPDATE tocsin.connections SET account_claim = NULL WHERE (project_id, id) IN (
        SELECT c.project_id, c.id FROM tocsin.connections c
        WHERE c.account_claim = ANY (hashes) AND c.status IN ('pending', 'error')
            AND (c.project_id, c.id) <> (project, connection) FOR UPDATE SKIP LOCKED);
    IF EXISTS (SELECT FROM tocsin.connections c
        WHERE c.account_claim = ANY (hashes) AND (c.project_id, c.id) <> (project, connection)) THEN
        RETURN false;
    END IF;
    UPDATE tocsin.connections c SET account_claim = hashes[1]
    WHERE c.project_id = project AND c.id = connection AND c.account_claim IS DISTINCT FROM hashes[1];
    RETURN true;
EXCEPTION WHEN unique_violation THEN
    RETURN false;
END
$$;
REVOKE ALL ON FUNCTION tocsin.claim_account FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.claim_account TO {app};
"""

# What a provider has to approve before it may be sent, as it last said. `status` and `category` are its words.
TEMPLATES = """
CREATE TABLE tocsin.message_templates (
    project_id uuid NOT NULL,
    id uuid NOT NULL,
    connection_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    language text NOT NULL,
    status text NOT NULL,
    category text,
    places integer,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT message_templates_once UNIQUE (project_id, connection_id, name, language),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
"""
