"""A test message to an endpoint: sent at once, shown, and kept in the log like any other."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
from sqlalchemy import text

from tocsin.auth.call import Call
from tocsin.channels.webhook import WebhookSettings
from tocsin.kit.crypto import Unreadable
from tocsin.kit.http import Door
from tocsin.kit.ids import new_id
from tocsin.webhooks.kinds import TEST, body
from tocsin.webhooks.models import WebhookAttempt, WebhookEndpoint
from tocsin.webhooks.schemas import WebhookTestAnswer
from tocsin.webhooks.send import Outgoing, Result, attempted, judged, opened_secrets

TRIAL_SECONDS = 40.0
_DATA = msgspec.json.encode({"message": "This is a test. Your endpoint works when it answers 2xx."}).decode()


@dataclass(frozen=True, slots=True)
class Trial:
    """The message, signed as the endpoint was when it was asked for; ``leaves`` is false in the sandbox."""

    outgoing: Outgoing
    made_at: datetime
    leaves: bool


async def prepared(call: Call, row: WebhookEndpoint) -> Trial:
    made_at = datetime.now(UTC)
    previous = row.previous_secret if row.previous_until and row.previous_until > made_at else None
    sealed = {"secret": row.secret, "previous_secret": previous}
    try:
        secrets = await opened_secrets(call.session, call.gate.vault, call.project_id, row.id, sealed)
    except Unreadable:
        secrets = None
    settings = WebhookSettings.model_validate({"url": row.url, "timeoutSeconds": row.timeout_seconds})
    content = body(TEST, call.project_id, made_at, _DATA)
    return Trial(Outgoing(new_id(), row.id, 1, 1, content, settings, secrets), made_at, call.env == "live")


async def tried(trial: Trial, door: Door) -> Result | None:
    """What the endpoint answered; None in the sandbox. Not inside a transaction."""
    if not trial.leaves:
        return None
    began = time.perf_counter()
    outcome = await attempted(trial.outgoing, door, TRIAL_SECONDS)
    return judged(trial.outgoing, outcome, trial.made_at, round((time.perf_counter() - began) * 1000))


async def recorded(call: Call, trial: Trial, result: Result | None) -> WebhookTestAnswer:
    """Keep it in the log. A test is not tried again."""
    state = "captured" if result is None else "delivered" if result.outcome == "ok" else "failed"
    values = {
        "project": call.project_id,
        "id": trial.outgoing.id,
        "env": call.env,
        "endpoint": trial.outgoing.endpoint_id,
        "type": TEST,
        "data": _DATA,
        "state": state,
        "attempts": 0 if result is None else 1,
        "error": result.error if result else None,
        "made_at": trial.made_at,
    }
    await call.session.execute(_KEEP, values)
    if result is not None:
        call.session.add(_attempt(call, result))
    answer = WebhookTestAnswer(
        log_id=trial.outgoing.id,
        state=state,
        response_status=result.status if result else None,
        response_body=result.answer if result else None,
        error=result.error if result else None,
        duration_ms=result.duration_ms if result else None,
    )
    await call.audit("webhook_endpoint.tested", "webhook_endpoint", trial.outgoing.endpoint_id, state=state)
    return answer


def _attempt(call: Call, result: Result) -> WebhookAttempt:
    return WebhookAttempt(
        project_id=call.project_id,
        message_id=result.id,
        number=1,
        env=call.env,
        outcome=result.outcome,
        status=result.status,
        answer=result.answer,
        error=result.error,
        started_at=result.started_at,
        duration_ms=result.duration_ms,
    )


_KEEP = text("""
INSERT INTO tocsin.webhook_messages (project_id, id, env, endpoint_id, event_type, data, state, attempts,
    last_error, created_at, finished_at)
VALUES (:project, :id, :env, :endpoint, :type, CAST(:data AS json), 
    :state, :attempts, :error, :made_at,
    now())
""")
