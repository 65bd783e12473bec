"""Notifications in browsers: Web Push, encrypted for the one browser and signed by us.

RFC 8030 (delivery), RFC 8188 and 8291 (encryption), RFC 8292 (VAPID). Who receives a message is an address that a
browser gave: where it leads is the door's to judge, and nothing it answers is held against the connection.
"""

import os
import re
import time
from typing import Annotated, Any, Self

import http_ece  # type: ignore[import-untyped]
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import AfterValidator, Field, SecretStr, model_validator

from tocsin.channels.calling import exchanged
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    AddressGone,
    Channel,
    Described,
    Device,
    Message,
    Receipt,
    Rejected,
    Step,
    Unavailable,
)
from tocsin.channels.payload import MOST_ACTION, fitting
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.channels.signing import base64url, es256, unbase64url
from tocsin.kit.http import Door, Reply

MOST_ENDPOINT = 1_500
LIMIT = 3_993
"""Bytes of a message, so that with header, padding and tag it has the 4,096 that each push service takes."""
TOKEN_SECONDS = 12 * 3_600
"""Services refuse more than 24 hours."""
SEND_SECONDS = 8.0
"""A browser may name any server; one that hangs must not take the others' turns for long."""

URGENCIES = {"critical": "high", "high": "high", "normal": "normal", "low": "low"}
_CURVE = ec.SECP256R1()
_KEY, _AUTH, _POINT = 32, 16, 65


class WebPushSettings(Described):
    """Who sends, and how long a browser may be closed."""

    subject: str = Field(
        title="Contact",
        description="mailto:ops@example.com or an https address, where push services can reach you.",
        pattern=r"^(mailto:[^@\s]+@[^@\s]+\.[^@\s]+|https://[^\s]+)$",
        max_length=300,
        json_schema_extra={"format": "uri"},
    )
    ttl_seconds: int = Field(
        86_400, title="Time to live", description="Seconds that a browser may be closed.", ge=0, le=2_419_200
    )


def _private(secret: SecretStr) -> SecretStr:
    try:
        _key(secret)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be a P-256 private key: 32 bytes as base64url") from None
    return secret


PrivateKey = Annotated[SecretStr, Field(max_length=100), AfterValidator(_private)]


class WebPushCredentials(Described):
    """The pair of keys by which browsers know who may send to them (VAPID)."""

    vapid_public: str = Field(
        "",
        title="Public key",
        description="What browsers subscribe with (applicationServerKey); follows from the private key.",
        json_schema_extra={"readOnly": True},
    )
    private_key: PrivateKey = Field(title="Private key", description="Made by us unless you bring one.")
    previous_private_key: PrivateKey | None = Field(
        None, title="Previous private key", description="For browsers that subscribed before the new one."
    )

    @model_validator(mode="after")
    def _derived(self) -> Self:
        # Whatever was sent: a key that is not the private one's would have every subscription refused.
        object.__setattr__(self, "vapid_public", _public(_key(self.private_key)))
        return self


class _Keys(msgspec.Struct):
    p256dh: str
    auth: str


class _Subscription(msgspec.Struct):
    """``PushSubscription.toJSON()`` of a browser."""

    endpoint: str
    keys: _Keys


class WebPush(Channel[WebPushSettings, WebPushCredentials]):
    """One message for each browser of a person that subscribed."""

    provider = "webpush"
    channel = "web_push"
    title = "Web Push"
    reaches = "person"
    address_kind = "webpush"
    each_address = True
    action_bytes = MOST_ACTION
    settings = WebPushSettings
    credentials = WebPushCredentials
    setup_steps = (
        Step("contact", "Enter a contact address; the keys are made by us."),
        Step("key", "Copy vapidPublic into your web app."),
        Step(
            "subscribe",
            "In the browser subscribe with that key, and register the subscription as an address of kind webpush.",
        ),
        Step("worker", "Show what arrives in a service worker."),
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: WebPushSettings,
        credentials: WebPushCredentials,
        door: Door,
    ) -> Receipt:
        """Sent means that the push service has it."""
        if address is None or self.address_problem(address):
            raise Rejected("The address is not the subscription of a browser.")
        subscription = msgspec.json.decode(address, type=_Subscription)
        body = _encrypted(fitting(message, LIMIT, lambda title, text: _shown(message, title, text)), subscription.keys)
        reply = await _posted(body, message, subscription, settings, credentials.private_key, door)
        if reply.status in (401, 403) and credentials.previous_private_key:
            reply = await _posted(body, message, subscription, settings, credentials.previous_private_key, door)
        return _receipt(reply)

    async def verify(self, settings: WebPushSettings, credentials: WebPushCredentials, door: Door) -> Account:
        """Nobody has to be asked: the keys are ours, and each push service sees them with the first message."""
        return Account(id=credentials.vapid_public, name=settings.subject)

    def address_problem(self, address: str) -> str | None:
        try:
            subscription = msgspec.json.decode(address, type=_Subscription)
            point, auth = unbase64url(subscription.keys.p256dh), unbase64url(subscription.keys.auth)
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        except (msgspec.MsgspecError, ValueError):
            return "is not the subscription of a browser, as JSON with endpoint and keys"
        if len(point) != _POINT or len(auth) != _AUTH:
            return "has keys of another length than those of a browser"
        if len(subscription.endpoint) > MOST_ENDPOINT:
            return f"has an endpoint of more than {MOST_ENDPOINT:,} characters"
        return None

    def device(self, address: str) -> Device:
        """The endpoint names the browser; its keys may change."""
        subscription = msgspec.json.decode(address, type=_Subscription)
        endpoint = subscription.endpoint
        return Device(
            value=msgspec.json.encode(subscription).decode(),
            identity=endpoint,
            shown=f"{_origin(endpoint)}/****{endpoint[-4:]}",
            url=endpoint,
        )

    def issue(self, current: WebPushCredentials | None = None) -> WebPushCredentials:
        private = ec.generate_private_key(_CURVE).private_numbers().private_value.to_bytes(_KEY)
        return WebPushCredentials.model_validate(
            {"privateKey": base64url(private), "previousPrivateKey": current.private_key if current else None}
        )


def _encrypted(plain: bytes, keys: _Keys) -> bytes:
    """One record that only this browser can read, with a key of its own each time (RFC 8291)."""
    return bytes(
        http_ece.encrypt(
            plain,
            salt=os.urandom(16),
            private_key=ec.generate_private_key(_CURVE),
            dh=unbase64url(keys.p256dh),
            auth_secret=unbase64url(keys.auth),
            version="aes128gcm",
        )
    )


async def _posted(
    body: bytes,
    message: Message,
    subscription: _Subscription,
    settings: WebPushSettings,
    private_key: SecretStr,
    door: Door,
) -> Reply:
    """The answer of the push service. A later message under the same topic replaces one that still waits there."""
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "Authorization": _authorization(subscription.endpoint, settings.subject, _key(private_key)),
        "TTL": str(settings.ttl_seconds),
        "Urgency": URGENCIES[message.priority],
        "Topic": base64url(message.notification_id.bytes),
    }
    return await exchanged(door, "POST", subscription.endpoint, headers, body, SEND_SECONDS)


def _authorization(endpoint: str, subject: str, key: ec.EllipticCurvePrivateKey) -> str:
    ends_at = int(time.time()) // TOKEN_SECONDS * TOKEN_SECONDS + 2 * TOKEN_SECONDS - 60
    token = es256({"aud": _origin(endpoint), "exp": ends_at, "sub": subject}, key)
    return f"vapid t={token},k={_public(key)}"


def _origin(endpoint: str) -> str:
    """Scheme, host and port."""
    return "://".join(re.split(r"[/?#]", part)[0] for part in endpoint.split("://", 1))


def _key(secret: SecretStr) -> ec.EllipticCurvePrivateKey:
    raw = unbase64url(secret.get_secret_value())
    if len(raw) != _KEY:
        raise ValueError(f"{len(raw)} bytes")
    return ec.derive_private_key(int.from_bytes(raw), _CURVE)


def _public(key: ec.EllipticCurvePrivateKey) -> str:
    return base64url(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _shown(message: Message, title: str, text: str) -> dict[str, Any]:
    """What the service worker gets."""
    return {
        "title": title,
        "message": text,
        "url": message.action.url if message.action else None,
        "label": message.action.label if message.action else None,
        "ackUrl": message.ack_url,
        "sound": message.sound,
        "soundUrl": message.sound_url,
        "priority": message.priority,
        "requireAck": message.require_ack,
        "notificationId": str(message.notification_id),
        "deliveryId": str(message.delivery_id),
        "event": {"id": str(message.event.id), "type": message.event.type} if message.event else None,
    }


def _receipt(reply: Reply) -> Receipt:
    answer, status = reply.text(ANSWER_LIMIT), reply.status
    if 200 <= status < 300:
        location = reply.headers.get("location", "")[:MOST_ENDPOINT]
        return Receipt(delivered=False, provider_message_id=location or None, status=status, answer=answer)
    if status in (404, 410):
        raise AddressGone("The browser is not subscribed any more.", status=status, answer=answer)
    if 400 <= status < 500 and status not in (408, 425, 429):
        # Whoever answers was named by a browser: what they say of our keys counts for this one alone.
        raise Rejected(f"The push service refused the message with {status}.", status=status, answer=answer)
    wait = seconds_to_wait(reply.headers.get("retry-after"))
    # Without the status 429, which would slow the whole connection: only this service, or this browser, wants a pause.
    told = None if status == 429 else status
    raise Unavailable(f"The push service answered {status}.", retry_after=wait, status=told, answer=answer)
