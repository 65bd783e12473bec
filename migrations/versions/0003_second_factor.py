"""Second factors, sign-in guesses and known devices."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
