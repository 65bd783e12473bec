"""Pusher apps that have asked for a pause are listened for as well (W3)."""

from tocsin.kit.migrate import as_pipeline

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    as_pipeline(HOSTED)


# As before, and those whose pause is over soon: what happens meanwhile waits for it.
HOSTED = """
CREATE OR REPLACE FUNCTION tocsin.hosted_projects() RETURNS TABLE (project_id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT DISTINCT c.project_id FROM tocsin.connections c
    WHERE c.provider = 'pusher' AND c.owner = 'project' AND c.env = 'live' AND c.status IN ('active', 'rate_limited')
$$;
"""
