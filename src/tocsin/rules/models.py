"""Rows of rules: the rule as it is, whom it targets, what it is looked up by, and what it was."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class Rule(Table):
    __tablename__ = "rules"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    event_types: Mapped[list[str]] = mapped_column(ARRAY(Text))
    condition: Mapped[str | None]
    target_payload_user: Mapped[bool]
    target_destinations: Mapped[list[str]] = mapped_column(ARRAY(Text))
    channels: Mapped[list[str]] = mapped_column(ARRAY(Text))
    title: Mapped[str]
    message: Mapped[str]
    action: Mapped[dict[str, Any] | None]
    translations: Mapped[dict[str, Any] | None]
    template: Mapped[str | None]
    sound: Mapped[str | None]
    priority: Mapped[str]
    active: Mapped[bool]
    suspended_reason: Mapped[str | None]
    require_ack: Mapped[bool]
    repeat: Mapped[dict[str, Any] | None]
    escalation: Mapped[list[Any] | None]
    escalation_loops: Mapped[int]
    clock: Mapped[dict[str, Any] | None]
    starter: Mapped[str | None]
    throttle: Mapped[dict[str, Any] | None]
    active_times: Mapped[dict[str, Any] | None]
    channel_order: Mapped[dict[str, Any] | None]
    digest: Mapped[dict[str, Any] | None]
    topic: Mapped[str | None]
    version: Mapped[int]
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class RuleTarget(Table):
    """One role or person that a rule targets, or a step of its escalation (``step``, from 1 on), in order."""

    __tablename__ = "rule_targets"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    env: Mapped[str]
    role_id: Mapped[UUID | None]
    user_id: Mapped[UUID | None]
    step: Mapped[int | None]


class RulePattern(Table):
    """One pattern of an active rule: what an event's type is looked up by (E6)."""

    __tablename__ = "rule_patterns"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    pattern: Mapped[str] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]


class RuleVersion(Table):
    """A rule as its answer showed it after one change."""

    __tablename__ = "rule_versions"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    rule_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    env: Mapped[str]
    rule: Mapped[dict[str, Any]]
    created_by: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
