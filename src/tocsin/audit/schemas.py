"""An entry of the log as the API and its exports show it."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from tocsin.audit.models import AuditEntry
from tocsin.kit.schema import Answer, Time


class AuditAnswer(Answer):
    id: UUID
    timestamp: Time
    env: Literal["live", "test"]
    action: str = Field(examples=["rule.updated"])
    actor_type: str = Field(description="`user`, `key`, `public_key` or `system`.")
    actor_id: str | None
    resource_type: str
    resource_id: str | None
    metadata: dict[str, Any] | None = Field(description="`before` and `after`, as the API showed them; no secrets.")
    ip_address: str | None
    user_agent: str | None
    request_id: str | None
    erased_at: Time | None = Field(description="When what it said of a person was erased.")
    seq: int | None = Field(description="Its place in the project's chain; null for a second at most.")
    hash: str | None = Field(description="SHA-256, hexadecimal.")


def shown(entry: AuditEntry) -> AuditAnswer:
    values = {name: getattr(entry, name) for name in AuditAnswer.model_fields if name in AuditEntry.__table__.columns}
    values.update(timestamp=entry.at, metadata=entry.details, hash=entry.hash.hex() if entry.hash else None)
    return AuditAnswer.model_validate(values)
