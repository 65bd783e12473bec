"""The Idempotency-Key: a POST sent twice acts once, and both get the same answer for 24 hours (P2)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from tocsin.auth.principal import Principal
from tocsin.kit.errors import BadRequest, Conflict, FieldError, Invalid
from tocsin.kit.vault import Vault


class Replayed(Exception):
    """This request was answered before; the endpoint has nothing left to do."""

    def __init__(self, response: Response) -> None:
        super().__init__("answered before")
        self.response = response


@dataclass(frozen=True, slots=True)
class Once:
    """A POST under an Idempotency-Key, in the transaction of its effect."""

    session: AsyncSession
    vault: Vault
    principal: Principal
    request: Request

    async def replay(self) -> None:
        """Claim the key for this transaction. Raises Replayed with the answer it had already."""
        where = self._where()
        name = row_name(where)
        await self._claim(name)
        kept = (await self.session.execute(_KEPT, where)).one_or_none()
        if kept is None:
            return
        if bytes(kept.fingerprint) != await _fingerprint(self.request):
            raise Invalid(
                [FieldError("/headers/idempotency-key", "key_reused", "This key was used with another body.")],
                code="idempotency_key_reused",
            )
        answer = await self.vault.open(
            self.session, self.principal.project_id, "idempotency_records", name, "response", kept.response
        )
        raise Replayed(
            Response(answer, kept.status, media_type="application/json", headers={"Idempotent-Replayed": "true"})
        )

    async def keep(self, response: Response) -> None:
        """Keep the answer under the key, sealed: it may hold a secret that is shown once."""
        where = self._where()
        sealed = await self.vault.seal(
            self.session,
            self.principal.project_id,
            "idempotency_records",
            row_name(where),
            "response",
            bytes(response.body).decode(),
        )
        fingerprint = await _fingerprint(self.request)
        await self.session.execute(
            _KEEP, {**where, "fingerprint": fingerprint, "status": response.status_code, "response": sealed}
        )

    async def _claim(self, name: str) -> None:
        free = await self.session.scalar(
            text("SELECT pg_try_advisory_xact_lock(('x' || :name)::bit(64)::bigint)"), {"name": name[:16]}
        )
        if not free:
            raise Conflict(
                "idempotency_in_progress",
                "A request with this Idempotency-Key is still running.",
                headers={"Retry-After": "1"},
            )

    def _where(self) -> dict[str, Any]:
        return {
            "project": self.principal.project_id,
            "env": self.principal.env,
            "actor": str(self.principal.id),
            "route": f"POST {self.request.scope['path']}",
            "key": checked_key(self.request.headers.getlist("idempotency-key")),
        }


def checked_key(sent: Sequence[str]) -> str:
    """The one Idempotency-Key among the values that were sent; raises BadRequest."""
    if len(sent) > 1:
        raise BadRequest("invalid_idempotency_key", "Idempotency-Key was sent twice.")
    (key,) = sent
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise BadRequest("invalid_idempotency_key", "Idempotency-Key must be 1 to 255 printable ASCII characters.")
    return key


def row_name(where: dict[str, Any]) -> str:
    """What a kept answer is sealed for, since its row has no id."""
    return hashlib.sha256(repr(sorted(where.items())).encode()).hexdigest()


async def _fingerprint(request: Request) -> bytes:
    return hashlib.sha256(request.scope["query_string"] + b"\n" + await request.body()).digest()


_KEPT = text("""
SELECT fingerprint, status, response FROM tocsin.idempotency_records
WHERE project_id = :project AND env = :env AND actor = :actor AND route = :route AND key = :key
  AND created_at > now() - interval '24 hours'
""")
_KEEP = text("""
INSERT INTO tocsin.idempotency_records (project_id, env, actor, route, key, fingerprint, status, response)
VALUES (:project, :env, :actor, :route, :key, :fingerprint, :status, :response)
ON CONFLICT (project_id, env, actor, route, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, response = excluded.response, created_at = now()
""")
