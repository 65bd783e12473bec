"""Which projects have a Pusher app of their own (W3)."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    build_index("connections_hosted", "connections", "(project_id) WHERE provider = 'pusher'")
    as_owner("GRANT SELECT (project_id, provider, owner, env, status) ON tocsin.connections TO {pipeline}")
    as_pipeline(HOSTED)


# Asked every few seconds by each worker, so it looks at such connections alone.
HOSTED = """
CREATE FUNCTION tocsin.hosted_projects() RETURNS TABLE (project_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT c.project_id FROM tocsin.connections c
    WHERE c.provider = 'pusher' AND c.owner = 'project' AND c.env = 'live' AND c.status = 'active'
$$;
REVOKE ALL ON FUNCTION tocsin.hosted_projects FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.hosted_projects TO {app};
"""
