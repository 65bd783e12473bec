"""Which connection has an account at a provider, of all projects."""

from tocsin.kit.migrate import as_owner, as_pipeline

revision = "0027"
down_revision = "0024"


def upgrade() -> None:
    as_owner(CLAIMS)
    as_pipeline(CLAIMING)


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
