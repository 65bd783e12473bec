"""What the owner of a connection should see to, as its provider says (C5)."""

from tocsin.kit.migrate import as_owner

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    as_owner(WARNINGS)


# What the last look found, and what of that the owner was told.
WARNINGS = """
ALTER TABLE tocsin.connections
    ADD COLUMN warnings text[] NOT NULL DEFAULT '{{}}',
    ADD COLUMN warned text[] NOT NULL DEFAULT '{{}}';
"""
