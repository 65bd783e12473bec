"""Notifications on iPhones and Macs: the Apple Push Notification service, with token authentication, over HTTP/2.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
"""

import re
import time
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.calling import api_of
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    AddressGone,
    BadCredentials,
    Channel,
    Described,
    Message,
    Receipt,
    Rejected,
    SendFailure,
    Step,
    Unavailable,
)
from tocsin.channels.payload import MOST_ACTION, SoundExtension, bundled, fitting
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.channels.signing import es256
from tocsin.kit.http import Blocked, Door, Reply, Unreachable

LIMIT = 4_096
HOSTS = {"production": "https://api.push.apple.com", "sandbox": "https://api.sandbox.push.apple.com"}
TOKEN_SECONDS = 2_400
"""Apple takes a new token every 20 minutes at most, and one of 60 minutes at most. Counted from fixed points in time,
and signed the same everywhere, it is one token per team however many processes send."""
NOBODY = "0" * 64
"""A token that no device has: Apple judges ours before it judges that one."""

LEVELS = {"critical": "time-sensitive", "high": "time-sensitive", "normal": "active", "low": "passive"}

_GONE = frozenset({"Unregistered", "ExpiredToken"})
_OWN_FAULT = frozenset(
    {
        "BadCertificate",
        "BadCertificateEnvironment",
        "BadEnvironmentKeyIdInToken",
        "BadTopic",
        "Forbidden",
        "InvalidProviderToken",
        "MissingProviderToken",
        "MissingTopic",
        "TopicDisallowed",
        "UnrelatedKeyIdInToken",
    }
)
_PASSING = frozenset(
    {
        "ExpiredProviderToken",
        "IdleTimeout",
        "InternalServerError",
        "ServiceUnavailable",
        "Shutdown",
    }
)

_TOKEN = re.compile(r"[0-9a-fA-F]{64,200}")


class ApnsSettings(Described):
    """Which app, and which of Apple's two services."""

    topic: str = Field(title="Topic", description="The bundle id of the app.", pattern=r"^[A-Za-z0-9.-]{1,255}$")
    environment: Literal["production", "sandbox"] = Field(
        "production", title="Environment", description="sandbox for apps that Xcode installs."
    )
    critical_alerts: bool = Field(
        False,
        title="Critical alerts",
        description="Critical notifications sound even when the phone is muted. The app needs Apple's entitlement.",
    )
    sound_extension: SoundExtension = "wav"
    ttl_seconds: int = Field(
        86_400, title="Time to live", description="Seconds that a device may be out of reach.", ge=0, le=2_592_000
    )


def _p8(secret: SecretStr) -> SecretStr:
    try:
        key = load_pem_private_key(secret.get_secret_value().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("must be the text of a .p8 file") from None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("must be a key for push notifications, which is a P-256 key")
    return secret


class ApnsCredentials(Described):
    """A key of the developer team."""

    team_id: str = Field(title="Team", description="Ten letters and digits.", pattern=r"^[A-Z0-9]{10}$")
    kid: str = Field(title="Key ID", description="Ten letters and digits.", pattern=r"^[A-Z0-9]{10}$")
    private_key: Annotated[SecretStr, AfterValidator(_p8)] = Field(
        title="Key", description="The text of the .p8 file.", max_length=2_000
    )


class _Failed(msgspec.Struct):
    """``timestamp`` are milliseconds: when Apple last found the token to be nobody's."""

    reason: str = ""
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=32_503_680_000_000)] | None = None


class Apns(Channel[ApnsSettings, ApnsCredentials]):
    """One notification for each Apple device of a person."""

    provider = "apns"
    channel = "push"
    title = "Apple Push Notification service"
    reaches = "person"
    address_kind = "apns"
    each_address = True
    action_bytes = MOST_ACTION
    settings = ApnsSettings
    credentials = ApnsCredentials
    setup_steps = (
        Step(
            "key",
            "In the Apple developer account make a key for the Apple Push Notifications service and"
            " download its .p8 file.",
        ),
        Step(
            "credentials",
            "Enter the text of the file, the key's id, the team's id and the app's bundle id here, and verify.",
        ),
        Step(
            "register",
            "In the app ask for permission, and register the device token at each start as an address of kind apns.",
        ),
        Step("sounds", "Put the sounds into the app's bundle; for critical alerts ask Apple for the entitlement."),
    )

    async def send(
        self, message: Message, address: str | None, settings: ApnsSettings, credentials: ApnsCredentials, door: Door
    ) -> Receipt:
        """Sent means that Apple has it."""
        if address is None or self.address_problem(address):
            raise Rejected("The address is not a device token.")
        body = fitting(message, LIMIT, lambda title, text: _payload(message, title, text, settings))
        reply = await _posted(body, address, _headers(message, settings), settings, credentials, door)
        if failure := _failure(reply):
            raise failure
        return Receipt(
            delivered=False,
            provider_message_id=reply.headers.get("apns-id"),
            status=reply.status,
            answer=reply.text(ANSWER_LIMIT),
        )

    async def verify(self, settings: ApnsSettings, credentials: ApnsCredentials, door: Door) -> Account:
        """Push to a device that does not exist: who we are is judged first."""
        headers = {"apns-topic": settings.topic, "apns-push-type": "alert"}
        reply = await _posted(b'{"aps":{"alert":"Tocsin"}}', NOBODY, headers, settings, credentials, door)
        failure = _failure(reply)
        if failure and not isinstance(failure, Rejected):
            raise failure
        return Account(id=f"{credentials.team_id}.{settings.topic}", name=settings.topic)

    def address_problem(self, address: str) -> str | None:
        if _TOKEN.fullmatch(address) and len(address) % 2 == 0:
            return None
        return "is not a device token of Apple: bytes as hexadecimal digits"


async def _posted(
    body: bytes,
    token: str,
    headers: dict[str, str],
    settings: ApnsSettings,
    credentials: ApnsCredentials,
    door: Door,
) -> Reply:
    """Apple's answer. A connection belongs to one key of one team: it refuses the tokens of a second one."""
    url = f"{api_of('apns', HOSTS[settings.environment])}/3/device/{token.lower()}"
    # With the key itself: whoever only says to be of a team must not have the connection of that team refused.
    pool = f"apns {sha256(msgspec.json.encode(credentials.revealed())).hexdigest()}"
    bearer = _bearer(credentials, time.time())
    sent = {"authorization": f"bearer {bearer}", "content-type": "application/json", **headers}
    try:
        return await door.request_http2("POST", url, pool=pool, headers=sent, body=body)
    except Blocked as refusal:
        raise Rejected(refusal.detail) from refusal
    except Unreachable as failure:
        raise Unavailable(failure.reason) from failure


def _bearer(credentials: ApnsCredentials, now: float) -> str:
    issued_at = int(now) // TOKEN_SECONDS * TOKEN_SECONDS
    key = load_pem_private_key(credentials.private_key.get_secret_value().encode(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return es256({"iss": credentials.team_id, "iat": issued_at}, key, kid=credentials.kid)


def _headers(message: Message, settings: ApnsSettings) -> dict[str, str]:
    """A repeated try has the same id, and replaces what the first one showed."""
    return {
        "apns-topic": settings.topic,
        "apns-push-type": "alert",
        "apns-id": str(message.delivery_id),
        "apns-priority": "5" if message.priority == "low" else "10",
        "apns-expiration": str(
            int(message.created_at.timestamp()) + settings.ttl_seconds if settings.ttl_seconds else 0
        ),
        "apns-collapse-id": str(message.notification_id),
    }


def _payload(message: Message, title: str, text: str, settings: ApnsSettings) -> dict[str, Any]:
    critical = message.priority == "critical" and settings.critical_alerts
    sound = bundled(message, settings.sound_extension) or "default"
    payload: dict[str, Any] = {
        "aps": {
            "alert": {"title": title, "body": text},
            "sound": {"critical": 1, "name": sound, "volume": 1.0} if critical else sound,
            "interruption-level": "critical" if critical else LEVELS[message.priority],
        },
        "notificationId": str(message.notification_id),
        "deliveryId": str(message.delivery_id),
        "requireAck": message.require_ack,
    }
    if message.action:
        payload["url"] = message.action.url
    if message.ack_url:
        payload["ackUrl"] = message.ack_url
    if message.event:
        payload["event"] = {"id": str(message.event.id), "type": message.event.type}
    return payload


def _failure(reply: Reply) -> SendFailure | None:
    if reply.status == 200:
        return None
    told: dict[str, Any] = {"status": reply.status, "answer": reply.text(ANSWER_LIMIT)}
    wait = seconds_to_wait(reply.headers.get("retry-after"))
    try:
        failed = msgspec.json.decode(reply.body, type=_Failed)
    except msgspec.MsgspecError:
        return Unavailable("The answer is not Apple's.", retry_after=wait, **told)
    reason = failed.reason
    words = f"Apple answered {reply.status} {reason}."
    if reason in _GONE:
        since = datetime.fromtimestamp(failed.timestamp / 1000, UTC) if failed.timestamp is not None else None
        return AddressGone(words, since=since, **told)
    if reason in _OWN_FAULT:
        return BadCredentials(words, **told)
    if reason == "TooManyRequests":
        # For this device alone: the status 429 would slow the whole connection.
        return Unavailable(words, retry_after=wait, answer=told["answer"])
    if reason == "TooManyProviderTokenUpdates":
        return Unavailable(words, retry_after=wait or TOKEN_SECONDS / 2, **told)
    if reason in _PASSING or reply.status >= 500 or reply.status == 429:
        return Unavailable(words, retry_after=wait, **told)
    return Rejected(words, **told)
