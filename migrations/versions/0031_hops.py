"""How often an event has passed through Tocsin before, so that loops end."""

from tocsin.kit.migrate import as_owner, as_pipeline
from tocsin.kit.walls import for_pipeline, walled

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    as_owner(HOPS)
    as_owner("\n".join(walled("event_hops", "traffic")))
    as_owner(for_pipeline("event_hops"))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(TIDY)


# Apart from the events, since nearly none has a row here: storing and matching know nothing of it, and sending looks
# into an index that is nearly empty.
HOPS = """
CREATE TABLE tocsin.event_hops (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    event_id uuid NOT NULL,
    hops smallint NOT NULL CHECK (hops > 0),
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, event_id)
);
CREATE INDEX event_hops_age ON tocsin.event_hops (noted_at);
"""

PIPELINE_GRANTS = """
GRANT SELECT (project_id, event_id, noted_at), DELETE ON tocsin.event_hops TO {pipeline};
"""

# Longer than anything is tried again.
TIDY = """
CREATE FUNCTION tocsin.tidy_event_hops(most integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
    WITH removed AS (
        DELETE FROM tocsin.event_hops WHERE (project_id, event_id) IN (
            SELECT h.project_id, h.event_id FROM tocsin.event_hops h
            WHERE h.noted_at < pg_catalog.now() - interval '7 days' ORDER BY h.noted_at LIMIT most)
        RETURNING 1
    )
    SELECT count(*)::integer FROM removed
$$;
REVOKE ALL ON FUNCTION tocsin.tidy_event_hops FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.tidy_event_hops TO {app};
"""
