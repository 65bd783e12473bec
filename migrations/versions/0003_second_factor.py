"""Second factors, sign-in guesses and known devices."""

from tocsin.kit.migrate import as_owner
from tocsin.kit.walls import walled

revision = "0003"
down_revision = "0002"

ACCOUNT = ("second_factors", "recovery_codes", "tries")


def upgrade() -> None:
    as_owner(TABLES)
    for table in ACCOUNT:
        as_owner("\n".join(walled(table, "account")))


TABLES = """
CREATE TABLE tocsin.second_factors (
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    secret text NOT NULL,
    last_step bigint NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE TABLE tocsin.recovery_codes (
    project_id uuid NOT NULL,
    user_id uuid NOT NULL,
    code_mac bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, user_id, code_mac),
    FOREIGN KEY (project_id, user_id) REFERENCES tocsin.users (project_id, id) ON DELETE CASCADE
);
CREATE TABLE tocsin.tries (
    project_id uuid NOT NULL REFERENCES tocsin.projects (id) ON DELETE CASCADE,
    name bytea NOT NULL,
    tries integer NOT NULL,
    began timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (project_id, name)
);
CREATE INDEX tries_age ON tocsin.tries (project_id, began);
ALTER TABLE tocsin.sessions ADD COLUMN rotated_at timestamptz, ADD COLUMN vouched boolean NOT NULL DEFAULT false;
"""
