"""Which app a public key opens, remembered for as long as it may be believed."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.auth.keys import Credentials, key_env, principal_of
from tocsin.auth.principal import Principal
from tocsin.kit.db import Database
from tocsin.kit.errors import Unavailable
from tocsin.kit.vault import Vault
from tocsin.projects.models import RealtimeApp
from tocsin.realtime.away import away_is_unavailable
from tocsin.realtime.server import App

REMEMBERED = 50_000
REMEMBERED_SECONDS = 60.0


class Opened(NamedTuple):
    """What a key opens, and who calls that signs with the secret of it: a backend, under the key's limits."""

    app: App
    caller: Principal


class _Known(NamedTuple):
    opened: Opened
    until: float


class Apps:
    """The apps of this process. ``forget`` listens to revocations; while those are not read, nothing counts."""

    def __init__(
        self, db: Database, vault: Vault, credentials: Credentials, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._db = db
        self._vault = vault
        self._credentials = credentials
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._reading: dict[str, asyncio.Future[Opened | None]] = {}
        self._revocations = 0

    async def find(self, key: str) -> App | None:
        """The app of a key in use, else None; raises ``Unavailable`` when the database cannot say."""
        opened = await self.open(key)
        return opened.app if opened else None

    async def open(self, key: str) -> Opened | None:
        """The same with its caller."""
        known = self._known.get(key)
        if known is not None and known.until > self._clock() and self._credentials.trusted:
            self._known.move_to_end(key)
            return known.opened
        if not key.startswith("pk_") or key_env(key) is None:
            return None
        with away_is_unavailable():
            return await self._read_once(key)

    def forget(self, project_id: UUID, kind: str, ref: str) -> None:
        """Believe no longer what a revocation took back."""
        self._revocations += 1
        if kind == "public_key":
            self._known.pop(ref, None)
        elif kind == "key":  # its limits or its addresses have changed
            for key in [key for key, known in self._known.items() if str(known.opened.caller.key_id) == ref]:
                del self._known[key]
        elif kind == "project":
            for key in [key for key, known in self._known.items() if known.opened.app.project_id == project_id]:
                del self._known[key]
        elif kind == "everything":
            self._known.clear()

    async def _read_once(self, key: str) -> Opened | None:
        """For all who ask meanwhile: thousands of sockets may come back in one moment."""
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = asyncio.ensure_future(self._read(key))
            reading.add_done_callback(lambda _: self._reading.pop(key, None))
        return await asyncio.shield(reading)

    async def _read(self, key: str) -> Opened | None:
        """What was read while something was revoked may be from before, so it is read once more."""
        for _ in range(3):
            seen = self._revocations
            row = await self._find(key)
            found = await self._app(row) if row is not None else None
            if seen == self._revocations:
                if found is None:
                    return None
                app, until = found
                opened = Opened(app, principal_of(row, "key"))
                self._keep(key, opened, [end for end in (row.expires_at, until) if end is not None])
                return opened
        raise Unavailable("busy", "Too much is being revoked at the moment; try again in a second.")

    async def _find(self, key: str) -> Any:
        async with self._db.unscoped() as session:
            row = (await session.execute(text("SELECT * FROM tocsin.find_api_key(:key)"), {"key": key})).one_or_none()
        if row is None or row.status != "active":
            return None
        return row if row.expires_at is None or row.expires_at > datetime.now(UTC) else None

    async def _app(self, key: Any) -> tuple[App, datetime | None] | None:
        """The app, and until when it has these secrets."""
        async with self._db.scope(key.project_id, key.env) as session:
            row = (await session.scalars(select(RealtimeApp).where(RealtimeApp.env == key.env))).one_or_none()
            if row is None:
                return None
            secrets = await self._secrets(session, row)
            enabled = key.project_status not in ("suspended", "cancelled")
            app = App(str(row.app_id), key.project_id, key.project_slug, key.env, secrets, enabled=enabled)
            return app, row.previous_until if len(secrets) > 1 else None

    async def _secrets(self, session: AsyncSession, row: RealtimeApp) -> tuple[str, ...]:
        """The current secret, and the previous one while both count."""
        sealed = [("secret", row.secret)]
        if row.previous_secret and row.previous_until and row.previous_until > datetime.now(UTC):
            sealed.append(("previous_secret", row.previous_secret))
        return tuple(
            [
                await self._vault.open(session, row.project_id, "realtime_apps", row.env, field, secret)
                for field, secret in sealed
            ]
        )

    def _keep(self, key: str, opened: Opened, ends: list[datetime]) -> None:
        now = datetime.now(UTC)
        seconds = min([REMEMBERED_SECONDS, *[(end - now).total_seconds() for end in ends]])
        self._known[key] = _Known(opened, self._clock() + seconds)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
