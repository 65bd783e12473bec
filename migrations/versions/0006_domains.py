"""Which project: custom domains and visits of platform admins."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
