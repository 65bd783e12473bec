"""What was last said of an address counts, in whatever order it is told."""

from tocsin.kit.migrate import as_owner

revision = "0044"
down_revision = "0043"


def upgrade() -> None:
    as_owner(TOLD_AT)


# When the last word on it was said, whether or not it changed anything: an older one that comes later counts no more.
# Empty in rows of before, whose `since` is all that is known.
TOLD_AT = "ALTER TABLE tocsin.reachability ADD COLUMN told_at timestamptz;"
