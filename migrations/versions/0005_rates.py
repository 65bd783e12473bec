"""Rotated keys, guesses at keys, rates kept across processes."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
