"""Rows of people, their addresses and roles."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class User(Table):
    __tablename__ = "users"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str | None]
    avatar_url: Mapped[str | None]
    email: Mapped[str | None]
    email_verified_at: Mapped[datetime | None]
    phone: Mapped[str | None]
    password_hash: Mapped[str | None]
    status: Mapped[str]
    external_user_id: Mapped[str | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    locale: Mapped[str | None]
    timezone: Mapped[str | None]
    preferences: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    wishes: Mapped[bool] = mapped_column(server_default=text("false"))
    self_registered: Mapped[bool] = mapped_column(server_default=text("false"))
    wished_roles: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    last_seen_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class Address(Table):
    """Where a person can be reached on one channel. Of a device ``identity`` tells it from all others."""

    __tablename__ = "addresses"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    user_id: Mapped[UUID]
    channel: Mapped[str]
    value: Mapped[str]
    label: Mapped[str | None]
    identity: Mapped[str | None]
    verified_at: Mapped[datetime | None]
    opted_out_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class Role(Table):
    __tablename__ = "roles"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text))
    built_in: Mapped[bool] = mapped_column(server_default=text("false"))
    self_assignable: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)


class UserRole(Table):
    __tablename__ = "user_roles"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    env: Mapped[str]
