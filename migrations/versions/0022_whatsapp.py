"""Who writes to a number and until when they may be answered; apps of Meta; messages by their provider's id."""

from tocsin.kit.migrate import as_owner, as_pipeline, build_index
from tocsin.kit.walls import for_pipeline, walled

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    for name, table, of in INDEXES:
        build_index(name, table, of)
    as_owner(CORRESPONDENTS)
    as_owner(APPS)
    as_owner("\n".join(walled("correspondents", "config")))
    as_owner("\n".join([*walled("meta_apps", "config"), for_pipeline("meta_apps")]))
    as_owner("\n".join(walled("meta_app_numbers", "config")))
    as_owner(PIPELINE_GRANTS)
    as_pipeline(FUNCTIONS)


# `known_as` is the provider's name for the person: a number without its plus, or an id where the number is hidden.
# Somebody who is known by both has two rows.
CORRESPONDENTS = """
CREATE TABLE tocsin.correspondents (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    known_as text NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    user_id uuid,
    last_wrote_at timestamptz NOT NULL,
    window_expires_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, connection_id, known_as),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE INDEX correspondents_user ON tocsin.correspondents (project_id, user_id) WHERE user_id IS NOT NULL;
"""

# Meta has one callback address per app; an app of a project may have several of its numbers.
APPS = """
CREATE TABLE tocsin.meta_apps (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    name text NOT NULL,
    token text NOT NULL,
    app_secret text NOT NULL,
    verify_token text NOT NULL,
    handshake_at timestamptz,
    last_received_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id)
);
CREATE UNIQUE INDEX meta_apps_token_taken ON tocsin.meta_apps (token);
CREATE TABLE tocsin.meta_app_numbers (
    project_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    app_id uuid NOT NULL,
    env text NOT NULL CHECK (env IN ('live', 'test')),
    PRIMARY KEY (project_id, connection_id),
    FOREIGN KEY (project_id, connection_id) REFERENCES tocsin.connections (project_id, id) ON DELETE CASCADE,
    FOREIGN KEY (project_id, app_id) REFERENCES tocsin.meta_apps (project_id, id) ON DELETE CASCADE
);
CREATE INDEX meta_app_numbers_app ON tocsin.meta_app_numbers (project_id, app_id);
"""

# A message is found by the provider's id in one channel alone, because no other reports so far and an index costs
# each row that has one. A person is found by the address they wrote from.
INDEXES = (
    (
        "deliveries_provider_message",
        "deliveries",
        "(connection_id, provider_message_id) WHERE channel = 'whatsapp' AND provider_message_id IS NOT NULL",
    ),
    ("addresses_by_value", "addresses", "(project_id, value)"),
    ("users_by_phone", "users", "(project_id, phone) WHERE phone IS NOT NULL"),
)

PIPELINE_GRANTS = """
GRANT SELECT (project_id, id, env, token) ON tocsin.meta_apps TO {pipeline};
GRANT SELECT (connection_project, connection_id, provider_message_id, channel) ON tocsin.deliveries TO {pipeline};
"""

# A platform's connection sends for many projects, and is told of all of them in one place: so the project of a
# message is found here, by a connection that must be the one it left by.
FUNCTIONS = """
CREATE FUNCTION tocsin.find_meta_app(wanted text) RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT a.project_id, a.env, a.id FROM tocsin.meta_apps a WHERE a.token = wanted
$$;
CREATE FUNCTION tocsin.find_sent(connection_project uuid, connection uuid, message text)
    RETURNS TABLE (project_id uuid, env text, id uuid)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT d.project_id, d.env, d.id FROM tocsin.deliveries d
    WHERE d.connection_id = connection AND d.provider_message_id = message AND d.channel = 'whatsapp'
        AND d.connection_project = find_sent.connection_project
$$;
REVOKE ALL ON FUNCTION tocsin.find_meta_app, tocsin.find_sent FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tocsin.find_meta_app, tocsin.find_sent TO {app};
"""
