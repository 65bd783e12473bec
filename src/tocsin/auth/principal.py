"""Who a request is: one value that the rest of the request carries."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from tocsin.auth.limits import Limit
from tocsin.auth.source import Networks
from tocsin.kit.db import Env

Kind = Literal["key", "public_key", "user", "platform_admin"]


@dataclass(frozen=True, slots=True)
class OpenVisit:
    """What a platform admin is inside a project by: a visit, until when at most, and their own sign-in."""

    id: UUID
    expires_at: datetime
    session_id: UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller inside one project and environment.

    ``kind`` is ``key`` (server to server), ``public_key`` (only ``pk_`` was shown), ``user`` (a token) or
    ``platform_admin`` (a token of the platform, during a visit to this project). An admin on a visit is no user
    of the project: ``user_id`` is None.
    """

    kind: Kind
    project_id: UUID
    project_slug: str
    project_status: str
    env: Env
    permissions: frozenset[str]
    key_id: UUID | None = None
    user_id: UUID | None = None
    session_id: UUID | None = None
    admin_id: UUID | None = None
    visit: OpenVisit | None = None
    roles: tuple[str, ...] = field(default=())
    allowed_from: tuple[Networks, ...] = ()
    """Lists that must each hold the caller's address; empty ones are left out."""
    limits: tuple[Limit, ...] = ()

    @property
    def id(self) -> UUID:
        """The id of the key, of the user or of the admin on a visit."""
        id_ = self.key_id or self.user_id or self.admin_id
        assert id_ is not None
        return id_

    def may(self, permission: str) -> bool:
        return permission in self.permissions
