"""What the operator sees: reading across projects, settings at run time, the end of a project."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
