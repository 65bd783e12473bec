"""Single sign-on by OpenID Connect: the provider of a project, and who its people are there (A4)."""

from tocsin.kit.migrate import as_owner
from tocsin.kit.walls import walled

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE tocsin.identity_providers (
    project_id uuid PRIMARY KEY REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret text NOT NULL,
    allowed_domains text[] NOT NULL DEFAULT '{{}}',
    return_urls text[] NOT NULL,
    role_id uuid,
    create_unknown boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    reach text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (project_id, role_id) REFERENCES tocsin.roles (project_id, id) ON DELETE SET NULL (role_id)
);
CREATE TABLE tocsin.user_identities (
    project_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL,
    email text,
    last_used_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, issuer, subject),
    CONSTRAINT user_identities_user_taken UNIQUE (project_id, user_id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
"""

# Somebody who registered alone chose the e-mail themselves and holds a claim on the account, so single sign-on must
# not lead the owner of that e-mail into it.
SELF_REGISTERED = "ALTER TABLE tocsin.users ADD self_registered boolean NOT NULL DEFAULT false;"


def upgrade() -> None:
    walls = [*walled("identity_providers", "account"), *walled("user_identities", "account")]
    as_owner("\n".join([TABLES, SELF_REGISTERED, *walls]))
