"""Which project: custom domains, visits of platform admins, the project's word on keeping data."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    as_owner(DOMAINS)
    as_owner(VISITS)
    as_owner(COMPLIANCE)
    as_owner("\n".join(walls()))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(FUNCTIONS)


# A claim that is not proven, or not any more, keeps nobody else from proving theirs.
DOMAINS = """
CREATE TABLE tocsin.domains (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    domain text NOT NULL,
    token text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'verified', 'suspended')),
    verified_at timestamptz,
    checked_at timestamptz,
    missing_since timestamptz,
    next_check_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    CONSTRAINT domains_one_of_a_project UNIQUE (project_id)
);
CREATE UNIQUE INDEX domains_domain_taken ON tocsin.domains (domain) WHERE status = 'verified';
CREATE INDEX domains_due ON tocsin.domains (next_check_at) WHERE status = 'verified';
"""

VISITS = """
CREATE TABLE tocsin.visits (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    admin_id uuid NOT NULL,
    admin_name text NOT NULL,
    reason text NOT NULL,
    writes boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX visits_admin ON tocsin.visits (project_id, admin_id) WHERE ended_at IS NULL;
CREATE INDEX visits_newest ON tocsin.visits (id);
"""

COMPLIANCE = """
ALTER TABLE tocsin.projects ADD COLUMN compliance json NOT NULL DEFAULT '{{}}';
"""


def walls() -> list[str]:
    statements = []
    for table in ("domains", "visits"):
        statements += walled(table, "account")
        statements.append(for_pipeline(table))
    return statements


PIPELINE_GRANTS = """
GRANT SELECT (project_id, id, domain, status, next_check_at), UPDATE (next_check_at) ON tocsin.domains TO {pipeline};
GRANT SELECT ON tocsin.visits TO {pipeline};
"""

FUNCTIONS = """
CREATE FUNCTION tocsin.find_domain(wanted text) RETURNS TABLE (project_id uuid, slug text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT p.id, p.slug FROM tocsin.domains d JOIN tocsin.projects p ON p.id = d.project_id
    WHERE d.domain = wanted AND d.status = 'verified'
$$;
-- Whoever takes a domain puts its next turn off by so long, so that no two workers ask for it.
CREATE FUNCTION tocsin.claim_domain_checks(most integer, seconds integer) RETURNS TABLE (project_id uuid, id uuid)
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH due AS (
        SELECT d.project_id, d.id FROM tocsin.domains d
        WHERE d.status = 'verified' AND d.next_check_at <= pg_catalog.now()
        ORDER BY d.next_check_at LIMIT most FOR UPDATE SKIP LOCKED
    )
    UPDATE tocsin.domains d SET next_check_at = pg_catalog.now() + pg_catalog.make_interval(secs => seconds)
    FROM due WHERE d.project_id = due.project_id AND d.id = due.id
    RETURNING d.project_id, d.id
$$;
-- The operator's own record of where its people have been, for 400 days. Made by hand, so the list stays short.
CREATE FUNCTION tocsin.find_visits(wanted uuid) RETURNS TABLE (
    id uuid, project_id uuid, project_slug text, project_name text, admin_id uuid, admin_name text, reason text,
    writes boolean, created_at timestamptz, expires_at timestamptz, ended_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT v.id, v.project_id, p.slug, p.name, v.admin_id, v.admin_name, v.reason, v.writes, v.created_at,
        v.expires_at, v.ended_at
    FROM tocsin.visits v JOIN tocsin.projects p ON p.id = v.project_id
    WHERE v.created_at > pg_catalog.now() - interval '400 days' AND (wanted IS NULL OR v.id = wanted)
$$;
REVOKE ALL ON FUNCTION tocsin.find_domain, tocsin.claim_domain_checks, tocsin.find_visits FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_domain, tocsin.claim_domain_checks, tocsin.find_visits TO {app};
"""
