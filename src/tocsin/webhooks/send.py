"""The stage that sends messages to endpoints: claim fairly, sign, send, record (H1, H2, D1-D3).

At most ``SLOTS`` messages are under way in a process, a quarter of them of one project and eight of one endpoint; one
that fails has a single message under way until something arrives again. So an endpoint that hangs fills its own share
and nobody else's. The turn goes over endpoints. What came of messages is recorded in groups, as soon as none is being
recorded.
"""

import asyncio
import time
from collections import Counter as Count
from collections import defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import structlog
from prometheus_client import Counter, Gauge

from tocsin.channels.contract import ANSWER_LIMIT, WEBHOOK_RETRIES, Rejected, SendFailure, Unavailable
from tocsin.channels.masking import without_secrets
from tocsin.channels.webhook import WebhookCredentials, WebhookSettings, signed_call
from tocsin.deliveries.record import retry_in
from tocsin.kit import hops
from tocsin.kit.away import is_away
from tocsin.kit.crypto import Unreadable
from tocsin.kit.db import Database, Env, json_text
from tocsin.kit.http import Door, Reply
from tocsin.kit.vault import Vault
from tocsin.webhooks.kinds import body

SLOTS = 128
PER_PROJECT = SLOTS // 4
PER_ENDPOINT = 8
MOST_ENDPOINTS = 64
MOST_AT_ONCE = 2_000
MOST_CRASHES = 5
SENDING_SHARE = 0.75
"""Of its lease an attempt may take so much; the rest is for recording it."""
RECORD_AGAIN_SECONDS = 0.25
RECORD_FOR_SECONDS = 600.0
"""Past the end of the lease. What is not recorded by then waits for its lease to be released."""
PATIENCE = timedelta(days=5)
"""An endpoint that took nothing for so long is paused (H2)."""

NOBODY = UUID(int=0)

SENT = Counter("tocsin_webhook_messages_total", "Messages to endpoints by the state after an attempt.", ["state"])
IN_FLIGHT = Gauge("tocsin_webhook_messages_in_flight", "Messages being sent by this process.")

log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    """What was claimed together and is recorded together; ``until`` is the event loop's time when its lease ends."""

    project_id: UUID
    env: Env
    token: UUID
    until: float


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One claimed message, signed with what its endpoint has now; ``credentials`` None: they cannot be read."""

    id: UUID
    endpoint_id: UUID
    number: int
    tries: int
    content: bytes
    settings: WebhookSettings
    credentials: WebhookCredentials | None
    hops: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message in one attempt; ``gone``: the endpoint wants no further one, else it
    is due in so many seconds after this is recorded."""

    id: UUID
    endpoint_id: UUID
    number: int
    state: str
    outcome: str
    started_at: datetime
    duration_ms: int
    status: int | None = None
    answer: str | None = None
    error: str | None = None
    due_in: float | None = None
    gone: bool = False


class WebhookStage:
    """Sends waiting messages; one per worker process."""

    def __init__(self, db: Database, door: Door, vault: Vault, lease_seconds: int, freed: Callable[[], None]) -> None:
        """``freed`` is called when there is room again for what may have been left."""
        self._db = db
        self._door = door
        self._vault = vault
        self._lease_seconds = lease_seconds
        self._freed = freed
        self._after = (NOBODY, NOBODY)
        self._of_endpoint: Count[UUID] = Count()
        self._of_project: Count[UUID] = Count()
        self._sends: set[asyncio.Task[None]] = set()
        self._settled: defaultdict[Batch, list[Result]] = defaultdict(list)
        self._recording: asyncio.Task[None] | None = None
        self._left_some = False
        self._leaving = False

    async def run_once(self) -> bool:
        """Make due what is due, claim as much as there is room for and begin to send it; False when nothing was."""
        if self._leaving:
            return False
        readied = await self._db.hot.fetchval("SELECT tocsin.ready_webhooks($1, $2)", MOST_AT_ONCE, MOST_CRASHES)
        free = SLOTS - self._of_project.total()
        self._left_some = bool(self._of_project)
        if free <= 0:
            return False
        token, until = uuid4(), asyncio.get_running_loop().time() + self._lease_seconds
        claimed = await self._claim(free, token)
        batches: defaultdict[tuple[UUID, Env], dict[UUID, UUID]] = defaultdict(dict)
        for row in claimed:
            batches[row["project_id"], row["env"]][row["id"]] = row["endpoint_id"]
        for (project_id, env), endpoint_of in batches.items():
            self._of_project[project_id] += len(endpoint_of)
            self._of_endpoint.update(endpoint_of.values())
            self._begin(self._send_batch(Batch(project_id, env, token, until), endpoint_of))
        IN_FLIGHT.set(self._of_project.total())
        return bool(claimed) or readied >= MOST_AT_ONCE

    async def _claim(self, free: int, token: UUID) -> list[asyncpg.Record]:
        """Messages of the next endpoints in turn, none of those whose share is full."""
        rows = await self._db.hot.fetch(
            "SELECT * FROM tocsin.claim_webhooks($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            *self._after,
            MOST_ENDPOINTS,
            PER_ENDPOINT,
            PER_PROJECT,
            free,
            self._lease_seconds,
            token,
            list(self._of_endpoint),
            list(self._of_endpoint.values()),
            list(self._of_project),
            list(self._of_project.values()),
        )
        if not rows and self._after != (NOBODY, NOBODY):
            self._after = (NOBODY, NOBODY)
            return await self._claim(free, token)
        self._after = max(((row["project_id"], row["endpoint_id"]) for row in rows), default=(NOBODY, NOBODY))
        return list(rows)

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, and let what is being sent come to its end. What does not is sent again when its lease
        runs out."""
        self._leaving = True
        try:
            async with asyncio.timeout(seconds):
                while self._sends or self._recording:
                    await asyncio.wait([*self._sends, *filter(None, [self._recording])])
        except TimeoutError:
            log.warning("stopped while sending to endpoints", messages=self._of_project.total())
            for send in self._sends:
                send.cancel()

    async def _send_batch(self, batch: Batch, endpoint_of: dict[UUID, UUID]) -> None:
        """Read a batch and send each of it. What cannot be read waits until its lease runs out."""
        outgoing: list[Outgoing] = []
        try:
            async with self._db.unit(batch.project_id, batch.env) as connection:
                outgoing = await _load(connection, self._vault, batch, list(endpoint_of))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one batch is not the next one's fault
            log.warning(
                "messages not loaded", project=str(batch.project_id), error=f"{type(error).__name__}: {error}"[:300]
            )
        loaded = {each.id for each in outgoing}
        self._free(batch.project_id, [endpoint for id_, endpoint in endpoint_of.items() if id_ not in loaded])
        for each in outgoing:
            self._begin(self._send(batch, each))

    async def _send(self, batch: Batch, outgoing: Outgoing) -> None:
        started_at, began = datetime.now(UTC), time.perf_counter()
        outcome = await attempted(outgoing, self._door, self._lease_seconds * SENDING_SHARE)
        took = round((time.perf_counter() - began) * 1000)
        self._settled[batch].append(judged(outgoing, outcome, started_at, took))
        if self._recording is None:
            self._recording = asyncio.create_task(self._record_groups())

    async def _record_groups(self) -> None:
        """Record what has come in, batch by batch, until nothing more has."""
        try:
            while self._settled:
                batch = next(iter(self._settled))
                results = self._settled.pop(batch)
                await self._record(batch, results)
                self._free(batch.project_id, [each.endpoint_id for each in results])
        finally:
            self._recording = None

    async def _record(self, batch: Batch, results: list[Result]) -> None:
        """Again and again while the database is away, past the lease too: a result that is lost is a second send."""
        while True:
            try:
                await self._db.hot.execute(
                    "SELECT tocsin.record_webhooks($1, $2, $3, $4, $5)",
                    batch.project_id,
                    batch.env,
                    batch.token,
                    json_text(results),
                    PATIENCE,
                )
            except Exception as error:
                if not is_away(error) or asyncio.get_running_loop().time() > batch.until + RECORD_FOR_SECONDS:
                    log.exception("attempts not recorded", project=str(batch.project_id), messages=len(results))
                    return
                await asyncio.sleep(RECORD_AGAIN_SECONDS)
                continue
            for result in results:
                SENT.labels(result.state).inc()
            return

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    def _free(self, project_id: UUID, endpoints: list[UUID]) -> None:
        if not endpoints:
            return
        self._of_project[project_id] -= len(endpoints)
        self._of_endpoint.subtract(endpoints)
        self._of_project, self._of_endpoint = +self._of_project, +self._of_endpoint
        IN_FLIGHT.set(self._of_project.total())
        if self._left_some:
            self._freed()


async def _load(connection: asyncpg.Connection, vault: Vault, batch: Batch, ids: list[UUID]) -> list[Outgoing]:
    """The messages whose lease is still ours."""
    loaded = []
    for row in await connection.fetch(_READ, batch.project_id, ids, batch.token):
        try:
            secrets = await opened_secrets(connection, vault, batch.project_id, row["endpoint_id"], row)
        except Unreadable:
            secrets = None
        loaded.append(
            Outgoing(
                row["id"],
                row["endpoint_id"],
                row["attempts"] + 1,
                row["tries"] + 1,
                body(row["event_type"], batch.project_id, row["created_at"], row["data"] or "null"),
                WebhookSettings.model_validate({"url": row["url"], "timeoutSeconds": row["timeout_seconds"]}),
                secrets,
                row["hops"] or 0,
            )
        )
    return loaded


# What the database told of by itself has no data of its own yet: it is read of the delivery, which has reached its end.
_READ = """
SELECT r.*, (SELECT h.hops FROM tocsin.event_hops h
    WHERE h.project_id = $1 AND h.event_id = (r.data::json->>'eventId')::uuid) AS hops
FROM (SELECT m.id, m.endpoint_id, m.event_type, m.created_at, m.tries, m.attempts, e.url, e.timeout_seconds, e.secret,
    coalesce(m.data, (SELECT t.data FROM tocsin.deliveries_as_told($1, ARRAY[m.delivery_id]) t))::text AS data,
    CASE WHEN e.previous_until > now() THEN e.previous_secret END AS previous_secret
FROM tocsin.webhook_messages m
JOIN tocsin.webhook_endpoints e ON e.project_id = m.project_id AND e.id = m.endpoint_id
WHERE m.project_id = $1 AND m.id = ANY ($2) AND m.lease_token = $3) r
"""


async def opened_secrets(
    scoped: Any, vault: Vault, project_id: UUID, endpoint_id: UUID, row: Any
) -> WebhookCredentials:
    """What an endpoint's messages are signed with; both secrets during a rotation. Raises Unreadable."""
    opened = {}
    for field, name in (("secret", "secret"), ("previous_secret", "previousSecret")):
        if row[field] is not None:
            opened[name] = await vault.open(scoped, project_id, "webhook_endpoints", endpoint_id, field, row[field])
    return WebhookCredentials.model_validate(opened)


async def attempted(outgoing: Outgoing, door: Door, seconds: float) -> Reply | SendFailure:
    """The 2xx that an endpoint answered, or how it failed."""
    if outgoing.credentials is None:
        return Unavailable("The signing secret cannot be read; rotate it.")
    try:
        with hops.after(outgoing.hops):
            async with asyncio.timeout(seconds):
                return await signed_call(
                    f"msg_{outgoing.id.hex}", outgoing.content, outgoing.settings, outgoing.credentials, door
                )
    except SendFailure as failure:
        return failure
    except TimeoutError:
        return Unavailable(f"There was no answer within {seconds:g} s.")


def judged(outgoing: Outgoing, outcome: Reply | SendFailure, started_at: datetime, duration_ms: int) -> Result:
    """What an answer means. Everything but a refused target and 410 is tried again, for over a day."""
    told: dict[str, Any] = {"started_at": started_at, "duration_ms": duration_ms, "status": outcome.status}
    which = (outgoing.id, outgoing.endpoint_id, outgoing.number)
    if isinstance(outcome, Reply):
        return Result(*which, "delivered", "ok", answer=_clean(outcome.text(ANSWER_LIMIT), outgoing), **told)
    told |= {"answer": _clean(outcome.answer, outgoing), "error": _clean(outcome.reason, outgoing)}
    if isinstance(outcome, Rejected):
        return Result(*which, "failed", "permanent", gone=outcome.status == 410, **told)
    asked = outcome.retry_after if isinstance(outcome, Unavailable) else None
    due_in = retry_in(WEBHOOK_RETRIES, outgoing.tries, asked)
    return Result(*which, "failed" if due_in is None else "queued", "temporary", due_in=due_in, **told)


def _clean(answer: str, outgoing: Outgoing) -> str | None:
    """An answer in which no secret of ours stays, should it repeat one (C3)."""
    clean = without_secrets(answer, outgoing.credentials) if outgoing.credentials else answer
    return clean[:ANSWER_LIMIT] or None
