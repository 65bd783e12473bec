"""Notifications on phones and in browsers through Firebase Cloud Messaging, HTTP v1.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import re
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, Field, SecretStr

from tocsin.channels.calling import api_of, exchanged, url_problems
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
from tocsin.channels.google_tokens import GoogleTokens, ServiceAccount, check_account, read_account
from tocsin.channels.payload import MOST_ACTION, SoundExtension, bundled, fitting
from tocsin.channels.retry_after import seconds_to_wait
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door, Reply

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
LIMIT = 4_096
"""Bytes of a message. Google counts notification and data; we count the whole, which is never less."""
QUOTA_SECONDS = 60.0
"""How long to wait when the minute's quota is used up and no time is named."""

_TOKEN = re.compile(r"[A-Za-z0-9:_-]{20,1000}")
"""Of a registration token, or of the installation ID that takes its place; the field `token` takes both."""
_URGENT = frozenset({"critical", "high"})


def _account(secret: SecretStr) -> SecretStr:
    check_account(secret.get_secret_value())
    return secret


class FcmSettings(Described):
    """How phones show it."""

    default_channel: str | None = Field(
        None,
        title="Android channel",
        description="Of notifications without a sound; those with one go to the channel named like their sound.",
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
    )
    sound_extension: SoundExtension = "wav"
    critical_alerts: bool = Field(
        False,
        title="Critical alerts",
        description="Critical notifications sound even when an iPhone is muted. The app needs Apple's entitlement.",
    )
    ttl_seconds: int = Field(
        86_400, title="Time to live", description="Seconds that a phone may be out of reach.", ge=0, le=2_419_200
    )


class FcmCredentials(Described):
    """Of the Firebase project."""

    service_account: Annotated[SecretStr, AfterValidator(_account)] = Field(
        title="Service account", description="The whole JSON file of a service account's key.", max_length=20_000
    )


class _Sent(msgspec.Struct):
    name: str


class _Detail(msgspec.Struct, rename="camel"):
    error_code: str = ""
    field_violations: list[dict[str, str]] = []


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Failed(msgspec.Struct):
    error: _Error


class Fcm(Channel[FcmSettings, FcmCredentials]):
    """One message for each device of a person that has a registration token."""

    provider = "fcm"
    channel = "push"
    title = "Firebase Cloud Messaging"
    reaches = "person"
    address_kind = "fcm"
    each_address = True
    action_bytes = MOST_ACTION
    settings = FcmSettings
    credentials = FcmCredentials
    setup_steps = (
        Step("key", "In the Firebase console open Project settings, Service accounts, and generate a new private key."),
        Step("credentials", "Enter the whole JSON file here and verify."),
        Step(
            "register",
            "In the app get the registration token, and register it at each start as an address of kind fcm.",
        ),
        Step("sounds", "On Android make one notification channel for each sound, with the sound's name as its id."),
    )

    def __init__(self) -> None:
        self._tokens = GoogleTokens(SCOPE)

    async def send(
        self, message: Message, address: str | None, settings: FcmSettings, credentials: FcmCredentials, door: Door
    ) -> Receipt:
        """Sent means that Google has it; whether a phone does, it does not say."""
        if address is None or self.address_problem(address):
            raise Rejected("The address is not a registration token.")
        body = fitting(message, LIMIT, lambda title, text: {"message": _post(message, title, text, address, settings)})
        reply = await self._asked(body, credentials, door)
        return Receipt(
            delivered=False,
            provider_message_id=msgspec.json.decode(reply.body, type=_Sent).name,
            status=reply.status,
            answer=reply.text(ANSWER_LIMIT),
        )

    async def verify(self, settings: FcmSettings, credentials: FcmCredentials, door: Door) -> Account:
        """Have a message judged that goes to nobody."""
        probe = {"validateOnly": True, "message": {"topic": "tocsin-verify", "notification": {"title": "Tocsin"}}}
        await self._asked(msgspec.json.encode(probe), credentials, door)
        account = read_account(credentials.service_account.get_secret_value())
        return Account(id=account.project_id, name=account.client_email)

    async def check(self, settings: FcmSettings, credentials: FcmCredentials, door: Door) -> list[FieldError]:
        account = read_account(credentials.service_account.get_secret_value())
        return await url_problems(door, account.token_uri, "/credentials/serviceAccount")

    def address_problem(self, address: str) -> str | None:
        return None if _TOKEN.fullmatch(address) else "is not a registration token of Firebase"

    async def _asked(self, body: bytes, credentials: FcmCredentials, door: Door) -> Reply:
        """The answer to a message. A token that is refused may have been revoked: a new one gets one try."""
        account = read_account(credentials.service_account.get_secret_value())
        try:
            return await self._tried(body, account, door)
        except BadCredentials as refusal:
            if refusal.status != 401:
                raise
            return await self._tried(body, account, door)

    async def _tried(self, body: bytes, account: ServiceAccount, door: Door) -> Reply:
        token = await self._tokens.token(account, door)
        url = f"{api_of('fcm', 'https://fcm.googleapis.com')}/v1/projects/{account.project_id}/messages:send"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        reply = await exchanged(door, "POST", url, headers, body)
        failure = _failure(reply)
        if isinstance(failure, BadCredentials):
            self._tokens.drop(account, token)
        if failure:
            raise failure
        return reply


def _post(message: Message, title: str, text: str, token: str, settings: FcmSettings) -> dict[str, Any]:
    """The message with what each platform needs of its own. A repeated try replaces what the first one showed."""
    once = str(message.notification_id)
    urgent = message.priority in _URGENT
    shown: dict[str, Any] = {"tag": once}
    if channel := _channel(message, settings):
        shown["channelId"] = channel
    if message.sound:
        shown["sound"] = message.sound
    return {
        "token": token,
        "notification": {"title": title, "body": text},
        "data": _data(message),
        "android": {
            "priority": "HIGH" if urgent else "NORMAL",
            "ttl": f"{settings.ttl_seconds}s",
            "notification": shown,
        },
        "apns": {
            "headers": {"apns-priority": "5" if message.priority == "low" else "10", "apns-collapse-id": once},
            "payload": {"aps": _aps(message, settings)},
        },
    }


def _aps(message: Message, settings: FcmSettings) -> dict[str, Any]:
    sound = bundled(message, settings.sound_extension) or "default"
    if message.priority == "critical" and settings.critical_alerts:
        return {"sound": {"critical": 1, "name": sound, "volume": 1.0}, "interruption-level": "critical"}
    return {"sound": sound}


def _channel(message: Message, settings: FcmSettings) -> str | None:
    """The Android channel: since Android 8 it is the channel that has the sound, not the notification."""
    return message.sound.partition(".")[0] if message.sound else settings.default_channel


def _data(message: Message) -> dict[str, str]:
    """For the app; FCM takes nothing but texts."""
    data = {
        "notificationId": str(message.notification_id),
        "deliveryId": str(message.delivery_id),
        "priority": message.priority,
        "requireAck": "true" if message.require_ack else "false",
    }
    if message.action:
        data["url"] = message.action.url
    if message.ack_url:
        data["ackUrl"] = message.ack_url
    if message.event:
        data |= {"eventId": str(message.event.id), "eventType": message.event.type}
    return data


def _failure(reply: Reply) -> SendFailure | None:
    """https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode"""
    if 200 <= reply.status < 300:
        return None if _is_receipt(reply) else Unavailable("The answer is not the provider's.", status=reply.status)
    wait = seconds_to_wait(reply.headers.get("retry-after"))
    told: dict[str, Any] = {"status": reply.status, "answer": reply.text(ANSWER_LIMIT)}
    try:
        error = msgspec.json.decode(reply.body, type=_Failed).error
    except msgspec.MsgspecError:
        return Unavailable("The answer is not the provider's.", retry_after=wait, **told)
    code = next((detail.error_code for detail in error.details if detail.error_code), error.status)
    reason = f"{error.message} ({code})"
    named = {violation.get("field") for detail in error.details for violation in detail.field_violations}
    if code == "UNREGISTERED" or "message.token" in named:
        return AddressGone(reason, **told)
    if code in ("INVALID_ARGUMENT", "SENDER_ID_MISMATCH"):
        return Rejected(reason, **told)
    if code in ("QUOTA_EXCEEDED", "RESOURCE_EXHAUSTED"):
        return Unavailable(reason, retry_after=wait or QUOTA_SECONDS, **told)
    if code == "THIRD_PARTY_AUTH_ERROR":
        # Firebase's own key for Apple or for browsers is wrong; Android goes on.
        return Unavailable(reason, **told)
    if reply.status in (401, 403, 404):
        return BadCredentials(reason, **told)
    return Unavailable(reason, retry_after=wait, **told)


def _is_receipt(reply: Reply) -> bool:
    try:
        msgspec.json.decode(reply.body, type=_Sent)
    except msgspec.MsgspecError:
        return False
    return True
