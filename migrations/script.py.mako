"""${message}"""

from tocsin.kit.migrate import as_owner, as_pipeline

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    as_owner("""
    """)
