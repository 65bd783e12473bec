"""Whom a connection reaches, and who does not want to hear from it."""

from tocsin.kit.migrate import as_owner
from tocsin.kit.walls import walled

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    as_owner(REACHABILITY)
    as_owner("\n".join(walled("reachability", "config")))


# In the project of the person, even where the platform's connection sends: what one project's people did is nobody
# else's business. The address is a hash, because an opt-out outlives the person it is about.
REACHABILITY = """
CREATE TABLE tocsin.reachability (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    connection_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    connection_project uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    state text NOT NULL CHECK (state IN ('reachable', 'blocked', 'opted_out')),
    since timestamptz NOT NULL DEFAULT now(),
    reason text,
    PRIMARY KEY (project_id, connection_id, address_hash),
    CHECK (connection_project IN (project_id, '00000000-0000-7000-8000-000000000000')),
    FOREIGN KEY (connection_project, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE
);
CREATE INDEX reachability_connection ON tocsin.reachability (connection_project, connection_id);
"""
