"""Notifications as signed HTTP calls to the project's own backend.

Signed by the Standard Webhooks scheme, and for plain HMAC users by ``X-Tocsin-Signature`` (H1).
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.calling import exchanged, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    WEBHOOK_RETRIES,
    Account,
    Channel,
    Described,
    Message,
    Receipt,
    Recipient,
    Rejected,
    Step,
    Unavailable,
)
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door, Reply, parse_target

SECRET_PREFIX = "whsec_"


def new_secret() -> str:
    """A signing secret as every Standard Webhooks library reads it: prefix and 32 bytes in plain base64."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(text: str) -> str:
    """A secret that somebody brought. Raises ValueError."""
    # Bounds of the Standard Webhooks specification, "Symmetric signatures".
    if not 24 <= len(_key(text)) <= 64:
        raise ValueError("must hold between 24 and 64 bytes")
    return text


def _valid_secret(secret: SecretStr) -> SecretStr:
    checked_secret(secret.get_secret_value())
    return secret


def _key(text: str) -> bytes:
    """The bytes of a secret. Only strict base64: libraries decode anything else in ways of their own."""
    if not text.startswith(SECRET_PREFIX):
        raise ValueError(f"must begin with {SECRET_PREFIX}")
    try:
        return base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"must be {SECRET_PREFIX} and standard base64") from None


Secret = Annotated[SecretStr, AfterValidator(_valid_secret)]


class WebhookSettings(Described):
    """Where to call, and how long to wait."""

    url: str = Field(
        title="Address",
        description="The https address that receives each notification as a POST request.",
        max_length=MAX_URL,
        json_schema_extra={"format": "uri"},
    )
    timeout_seconds: int = Field(15, title="Timeout", description="Seconds to wait for the whole answer.", ge=1, le=30)


class WebhookCredentials(Described):
    """What the receiver checks our calls with."""

    secret: Secret = Field(
        title="Signing secret",
        description="Begins with whsec_; made by us unless you bring one of 24 to 64 bytes.",
    )
    previous_secret: Secret | None = Field(
        None, title="Previous secret", description="Signs too while receivers change to the new one."
    )


class Webhook(Channel[WebhookSettings, WebhookCredentials]):
    """One call per notification, naming everybody it concerns."""

    provider = "webhook"
    channel = "webhook"
    title = "Webhook"
    reaches = "project"
    asks_quietly = False
    settings = WebhookSettings
    credentials = WebhookCredentials
    retries = WEBHOOK_RETRIES
    setup_steps = (
        Step("endpoint", "Make an endpoint in your backend that takes POST requests with a JSON body."),
        Step("secret", "Enter its address here and copy the signing secret into your backend."),
        Step("signature", "Check the signature with any Standard Webhooks library; answer 2xx within the timeout."),
        Step("try", "Send a test call."),
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: WebhookSettings,
        credentials: WebhookCredentials,
        door: Door,
    ) -> Receipt:
        """Delivered means a 2xx. Everything else but 410 is tried again: for a while, a deployment, a wrong
        route or an expired firewall rule looks like any 4xx, and the schedule outlasts it."""
        message_id = f"msg_{message.delivery_id.hex}"
        content = msgspec.json.encode(_notification(message))
        reply = await signed_call(message_id, content, settings, credentials, door)
        return Receipt(
            delivered=True,
            provider_message_id=message_id,
            status=reply.status,
            answer=reply.text(ANSWER_LIMIT),
        )

    async def verify(self, settings: WebhookSettings, credentials: WebhookCredentials, door: Door) -> Account:
        """Send a ``webhook.test`` call."""
        body = {
            "event": "webhook.test",
            "projectId": None,
            "timestamp": _utc(datetime.now(UTC)),
            "data": {"message": "This is a test call. Your endpoint works when it answers 2xx."},
        }
        await signed_call(f"msg_{secrets.token_hex(16)}", msgspec.json.encode(body), settings, credentials, door)
        return Account(id=settings.url, name=parse_target(settings.url, allowed=door.allowed).host)

    async def check(self, settings: WebhookSettings, credentials: WebhookCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, settings.url, "/settings/url")

    def issue(self, current: WebhookCredentials | None = None) -> WebhookCredentials:
        return WebhookCredentials.model_validate(
            {"secret": new_secret(), "previousSecret": current.secret if current else None}
        )


async def signed_call(
    message_id: str,
    content: bytes,
    settings: WebhookSettings,
    credentials: WebhookCredentials,
    door: Door,
) -> Reply:
    """The 2xx of a POST of this JSON. Raises Rejected, for a target that is not allowed and for 410, or Unavailable."""
    headers = {
        "Content-Type": "application/json",
        **signature_headers(message_id, int(time.time()), content, credentials),
    }
    reply = await exchanged(door, "POST", settings.url, headers, content, settings.timeout_seconds)
    if 200 <= reply.status < 300:
        return reply
    raise _failure(reply)


def signature_headers(
    message_id: str, timestamp: int, content: bytes, credentials: WebhookCredentials
) -> dict[str, str]:
    """The headers that prove who sent ``content``; during a rotation with a signature of each secret."""
    current = _key(credentials.secret.get_secret_value())
    previous = credentials.previous_secret
    keys = [current, *([_key(previous.get_secret_value())] if previous else [])]
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, content)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}" for key in keys
        ),
        "X-Tocsin-Signature": f"sha256={hmac.digest(current, content, hashlib.sha256).hex()}",
    }


def _failure(reply: Reply) -> Rejected | Unavailable:
    answer = reply.text(ANSWER_LIMIT)
    if reply.status == 410:
        return Rejected("The endpoint is gone.", status=410, answer=answer)
    if 300 <= reply.status < 400:
        return Unavailable("Redirects are not followed.", status=reply.status, answer=answer)
    return Unavailable(
        f"The endpoint answered {reply.status}.",
        retry_after=seconds_to_wait(reply.headers.get("retry-after")),
        status=reply.status,
        answer=answer,
    )


def _notification(message: Message) -> dict[str, Any]:
    """The body: the same bytes at every attempt."""
    return {
        "event": "notification.repeated" if message.round else "notification.created",
        "projectId": str(message.project_id),
        "timestamp": _utc(message.created_at),
        "data": {
            "notificationId": str(message.notification_id),
            "deliveryId": str(message.delivery_id),
            "channel": Webhook.channel,
            "env": message.env,
            "title": message.title,
            "message": message.message,
            "sound": message.sound,
            "soundUrl": message.sound_url,
            "priority": message.priority,
            "action": message.action and {"label": message.action.label, "url": message.action.url},
            "requireAck": message.require_ack,
            "createdAt": _utc(message.created_at),
            "event": message.event
            and {
                "id": str(message.event.id),
                "type": message.event.type,
                "clientEventId": message.event.client_event_id,
            },
            "users": [_user(recipient) for recipient in message.recipients],
        },
    }


def _user(recipient: Recipient) -> dict[str, str | None]:
    return {"userId": str(recipient.user_id), "externalUserId": recipient.external_user_id}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
