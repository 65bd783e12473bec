"""The audit log as a chain, and keys that rotate."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    pass
