"""The row of a project's provider."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from tocsin.kit.db import Table

_NOW = text("now()")


class IdentityProvider(Table):
    """``client_secret`` is sealed. ``reach`` holds the permissions of whoever configured it last: no sign-in that
    only this configuration vouches for leads to more than they had themselves."""

    __tablename__ = "identity_providers"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    issuer: Mapped[str]
    client_id: Mapped[str]
    client_secret: Mapped[str]
    allowed_domains: Mapped[list[str]] = mapped_column(ARRAY(Text))
    return_urls: Mapped[list[str]] = mapped_column(ARRAY(Text))
    role_id: Mapped[UUID | None]
    create_unknown: Mapped[bool]
    enabled: Mapped[bool]
    reach: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime] = mapped_column(server_default=_NOW)
    updated_at: Mapped[datetime] = mapped_column(server_default=_NOW, onupdate=_NOW)
