"""Which messages of a webhook endpoint failed when: a recovery goes by that (H2)."""

from tocsin.kit.migrate import build_index

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    build_index(
        "webhook_messages_failed", "webhook_messages", "(project_id, endpoint_id, finished_at) WHERE state = 'failed'"
    )
