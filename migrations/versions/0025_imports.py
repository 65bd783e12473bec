"""What imports of a single-tenant installation have changed, so that they can be put back."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    as_owner(IMPORTS)
    as_owner("\n".join(walled("imports", "account")))
    as_owner(for_pipeline("imports"))
    as_owner("GRANT SELECT (project_id, id, created_at), DELETE ON tocsin.imports TO {pipeline};")
    as_pipeline(FUNCTIONS)


# `changes` is sealed, since it holds what connections sent with before and after; null once it was put back.
IMPORTS = """
CREATE TABLE tocsin.imports (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    changes text,
    created_at timestamptz NOT NULL DEFAULT now(),
    rolled_back_at timestamptz,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX imports_age ON tocsin.imports (created_at);
"""

FUNCTIONS = """
-- Whose import this is: an operator names it by its id alone.
CREATE FUNCTION tocsin.find_import(wanted uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT i.project_id FROM tocsin.imports i WHERE i.id = wanted
$$;
-- They hold credentials that nobody uses any more: 30 days are enough to find out that one was wrong.
CREATE FUNCTION tocsin.tidy_imports(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH old AS (
        SELECT i.project_id, i.id FROM tocsin.imports i
        WHERE i.created_at < pg_catalog.now() - interval '30 days' ORDER BY i.created_at LIMIT most
    ), removed AS (
        DELETE FROM tocsin.imports i USING old o WHERE i.project_id = o.project_id AND i.id = o.id RETURNING 1
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION tocsin.find_import, tocsin.tidy_imports FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_import, tocsin.tidy_imports TO {app};
"""
