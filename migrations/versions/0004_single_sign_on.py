"""Single sign-on by OpenID Connect."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
