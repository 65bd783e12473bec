"""Which number that is not a connection's own its address heard about last (C8)."""

from tocsin.kit.migrate import as_owner

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    as_owner("ALTER TABLE tocsin.hooks ADD COLUMN foreign_account text, ADD COLUMN foreign_at timestamptz")
