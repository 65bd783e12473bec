"""What is mailed to people: links that prove an address, invitations, forgotten passwords."""

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    pass
