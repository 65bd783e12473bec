"""Whoever acknowledges in a chat is kept by the name that they have there, where they are nobody of the project (R3)."""

from tocsin.kit.migrate import as_owner

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    as_owner("ALTER TABLE tocsin.notifications ADD COLUMN acked_as text;")
