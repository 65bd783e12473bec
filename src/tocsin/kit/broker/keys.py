"""Names of keys and channels: the project first, in braces, so that one project shares a cluster slot."""

from uuid import UUID


def project_key(project_id: UUID, *parts: str) -> str:
    """``project:{<id>}:part:part``, for Redis keys and for channels of the broker.

    What belongs to the whole installation is filed under the platform's project, ``ids.PLATFORM_ID``.
    """
    return ":".join((f"project:{{{project_id}}}", *parts))
