"""Somebody else who hears what a polled account is told (C5)."""

from tocsin.kit.migrate import as_owner

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    as_owner(CONFLICTS)


# Askings in a row that met somebody else, and when the last of them did.
CONFLICTS = """
ALTER TABLE tocsin.hooks
    ADD COLUMN conflicts integer NOT NULL DEFAULT 0,
    ADD COLUMN conflict_at timestamptz;
"""
