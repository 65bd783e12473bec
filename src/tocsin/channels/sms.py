"""Notifications as text messages, through Twilio or whoever speaks its API.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha1
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from pydantic import Field, SecretStr, model_validator

from tocsin.channels.calling import call, decoded, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Channel,
    Described,
    Inbound,
    Item,
    Message,
    NotUnderstood,
    OptedOut,
    Receipt,
    Rejected,
    SendFailure,
    Step,
    Unavailable,
)
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door, Reply

BODY = 1_600
"""https://www.twilio.com/docs/api/errors/21617"""

# https://www.twilio.com/docs/api/errors: the sender is missing, not ours, or not fit to send text messages.
SENDER_CODES = frozenset({21212, 21603, 21660, 21701, 21703, 21705})
PAIR_CODES = frozenset({21606, 21659})
"""The same, or a short code or a name that cannot write to this country: of a whole number it is the former."""
QUEUE_CODE = 21611
"""The sender has messages for ten hours waiting."""

OPTED_OUT_CODE = 21610
"""The person wrote STOP to this sender. Of a messaging service it may come as a status."""

CALLBACK_CODE = 21609
"""They do not like the address at which we want to be told."""

# https://www.twilio.com/docs/api/errors: what a status says of a message that did not arrive. The networks have tried
# for hours by then, so most failures are final; these pass, or are the account's. That a sender is not registered with
# a network (30018, 30024, 30032, 30034, 30035) is no fault of the connection's elsewhere: one person could stop it for
# everybody whom it sends to.
PASSING = {30001: 30.0, 30017: 60.0, 30022: 60.0, 30023: 3_600.0}
"""A queue that is full, a network that is congested, and the sender's share of a network used up for now or today."""
SUSPENDED_CODE = 30002
"""The account is, so nothing leaves to anybody."""
MOST_FIELDS = 100
KEPT = ("MessageSid", "MessageStatus", "AccountSid", "ErrorCode")
"""What is kept of a report."""

# https://help.twilio.com/articles/223134027: a whole message, in any case. A messaging service may have words of its
# own, and then says in OptOutType what they mean.
STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
START = frozenset({"start", "yes", "unstop"})
SAID = ("MessageSid", "AccountSid", "From", "To", "MessagingServiceSid")
"""What is kept of such a word."""

_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


class SmsSettings(Described):
    """Who it comes from: a number, a name, or a messaging service that chooses one."""

    url: str = Field("https://api.twilio.com", title="Server", max_length=MAX_URL, json_schema_extra={"format": "uri"})
    account_sid: str = Field(title="Account SID", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    sender: str | None = Field(
        None,
        title="From",
        description="A number of yours as +436601234567, or a name of at most 11 letters and digits.",
        pattern=r"^(\+[1-9][0-9]{2,14}|[A-Za-z0-9 ]{1,11})$",
    )
    messaging_service_sid: str | None = Field(
        None, title="Messaging service SID", description="In place of From.", pattern=r"^[A-Za-z0-9_-]{1,64}$"
    )

    @model_validator(mode="after")
    def _one_sender(self) -> Self:
        if (self.sender is None) == (self.messaging_service_sid is None):
            raise ValueError("either sender or messagingServiceSid")
        return self


class SmsCredentials(Described):
    """Of the account, or of an API key of it."""

    username: str | None = Field(
        None,
        title="User name",
        description="The SID of the API key whose secret this is; else the account SID.",
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
    )
    auth_token: SecretStr = Field(title="Auth token", description="Or the secret of the API key.", max_length=256)
    account_token: SecretStr | None = Field(
        None,
        title="Auth token of the account",
        description="Beside an API key: Twilio signs what becomes of messages with it. Without, they stay sent.",
        max_length=256,
    )

    @property
    def signs(self) -> bytes | None:
        """What Twilio signs with: the account's own token, whatever else logs in."""
        is_key = self.username is not None and not self.username.startswith("AC")
        token = self.account_token if is_key else self.auth_token
        return token.get_secret_value().encode() if token else None


class _Sent(msgspec.Struct):
    sid: str


class _Account(msgspec.Struct):
    sid: str
    status: str
    friendly_name: str = ""


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class _CallbackRefused(Rejected):
    """Nothing is wrong with the message."""


class Sms(Channel[SmsSettings, SmsCredentials], Inbound[SmsCredentials]):
    """One text message per person and notification."""

    provider = "twilio"
    channel = "sms"
    title = "SMS (Twilio)"
    reaches = "person"
    address_kind = "phone"
    settings = SmsSettings
    credentials = SmsCredentials
    trusts = ("url",)
    setup_steps = (
        Step("credentials", "Copy the account SID and the auth token from the console, or make an API key."),
        Step("sender", "Choose the number, name or messaging service that messages come from."),
        Step("verify", "Enter everything here and verify."),
    )
    tells_once = False
    media = "application/x-www-form-urlencoded"

    async def send(
        self, message: Message, address: str | None, settings: SmsSettings, credentials: SmsCredentials, door: Door
    ) -> Receipt:
        """Sent means that it is in the provider's queue."""
        if address is None or self.address_problem(address):
            raise Rejected("The phone number is not in international form.")
        form = {"To": address, "Body": _text(message)}
        if settings.messaging_service_sid:
            form["MessagingServiceSid"] = settings.messaging_service_sid
        else:
            form["From"] = settings.sender or ""
        if message.told_at is not None and message.told_at.startswith("https://") and credentials.signs:
            form["StatusCallback"] = message.told_at
        reply = await _posted(settings, credentials, door, form)
        sent = decoded(reply, _Sent)
        return Receipt(
            delivered=False, provider_message_id=sent.sid, status=reply.status, answer=reply.text(ANSWER_LIMIT)
        )

    async def verify(self, settings: SmsSettings, credentials: SmsCredentials, door: Door) -> Account:
        """Read the account, and send nothing."""
        account = decoded(await _asked(settings, credentials, door, ".json"), _Account)
        if account.status != "active":
            raise BadCredentials(f"The account is {account.status}.")
        return Account(id=account.sid, name=account.friendly_name or account.sid)

    async def check(self, settings: SmsSettings, credentials: SmsCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, settings.url, "/settings/url")

    def address_problem(self, address: str) -> str | None:
        return None if _NUMBER.fullmatch(address) else "is not a phone number in international form"

    def authenticate(self, headers: Mapping[str, str], body: bytes, credentials: SmsCredentials, secret: str) -> bool:
        """Never: what is signed begins with the address."""
        return False

    def authenticate_at(
        self, url: str, headers: Mapping[str, str], body: bytes, credentials: SmsCredentials, secret: str
    ) -> bool:
        """https://www.twilio.com/docs/usage/security#validating-requests: some of their machines name the port."""
        shown, key = headers.get("x-twilio-signature", "").encode(), credentials.signs
        try:
            fields = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return False
        if key is None:
            return False
        words = "".join(name + value for name, value in sorted(set(fields)))
        return any([hmac.compare_digest(shown, _signature(key, each + words)) for each in _written(url)])

    def told(self, body: bytes) -> bytes:
        return msgspec.json.encode(dict(parse_qsl(body.decode(), max_num_fields=MOST_FIELDS)))

    def items(self, body: Any, credentials: SmsCredentials) -> Sequence[Item]:
        """One report: a status of a message comes once. Of what people write only the words that stop and start us."""
        if {"MessageSid", "AccountSid", "From", "To"} <= body.keys() and "MessageStatus" not in body:
            word = _word(body)
            said = {name: body[name] for name in SAID if name in body}
            return [Item(f"{said['MessageSid'][:64]}:said", {**said, "Word": word})] if word else []
        kept = {name: body[name] for name in KEPT if name in body}
        if not {"MessageSid", "MessageStatus", "AccountSid"} <= kept.keys():
            raise NotUnderstood("This is no status of a message.")
        return [Item(f"{kept['MessageSid'][:64]}:{kept['MessageStatus'][:32]}", kept)]


def _word(body: Mapping[str, str]) -> str | None:
    """``STOP``, ``START``, or None for anything else that a person may write."""
    text = body.get("OptOutType", body.get("Body", "")).strip().casefold()
    if text in STOP:
        return "STOP"
    return "START" if text in START else None


def _signature(key: bytes, text: str) -> bytes:
    return base64.b64encode(hmac.new(key, text.encode(), sha1).digest())


def _written(url: str) -> set[str]:
    """An address with its port and without."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {url, *(parts._replace(netloc=each).geturl() for each in (str(host), f"{host}:{port}"))}


def failure_of_status(status: str, code: str | None) -> SendFailure:
    """What it means that a message is ``undelivered`` or ``failed``."""
    number = int(code) if code is not None and re.fullmatch("[0-9]{1,6}", code) else 0
    reason = f"The message is {status}" + (f" ({number})." if number else ".")
    if number in PASSING:
        return Unavailable(reason, retry_after=PASSING[number])
    if number == OPTED_OUT_CODE:
        return OptedOut(reason)
    return BadCredentials(reason) if number == SUSPENDED_CODE else Rejected(reason)


async def _posted(settings: SmsSettings, credentials: SmsCredentials, door: Door, form: dict[str, str]) -> Reply:
    """Once more without an address of ours that they cannot call: the message is worth more than its status."""
    try:
        return await _asked(settings, credentials, door, "/Messages.json", urlencode(form).encode())
    except _CallbackRefused:
        told = {name: value for name, value in form.items() if name != "StatusCallback"}
        return await _asked(settings, credentials, door, "/Messages.json", urlencode(told).encode())


async def _asked(
    settings: SmsSettings, credentials: SmsCredentials, door: Door, path: str, form: bytes | None = None
) -> Reply:
    url = f"{settings.url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}{path}"
    login = f"{credentials.username or settings.account_sid}:{credentials.auth_token.get_secret_value()}"
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    try:
        return await call(door, "POST" if form else "GET", url, headers=headers, form=form)
    except Rejected as refusal:
        raise _told_apart(refusal, settings) from refusal


def _told_apart(refusal: Rejected, settings: SmsSettings) -> SendFailure:
    """A refused message whose sender is at fault will be taken once the connection is mended."""
    try:
        error = msgspec.json.decode(refusal.answer, type=_Error)
    except msgspec.MsgspecError:
        return refusal
    kind = _kind_of(error.code, _NUMBER.fullmatch(settings.sender or "") is not None)
    return kind(f"{error.message} ({error.code})", status=refusal.status, answer=refusal.answer)


def _kind_of(code: int, from_number: bool) -> type[SendFailure]:
    if code == CALLBACK_CODE:
        return _CallbackRefused
    if code == QUEUE_CODE:
        return Unavailable
    if code == OPTED_OUT_CODE:
        return OptedOut
    at_fault = code in SENDER_CODES or (from_number and code in PAIR_CODES)
    return BadCredentials if at_fault else Rejected


def _text(message: Message) -> str:
    """Title, message and one link, the link whole whatever has to go."""
    link = next((url for url, _ in links(message)), None)
    words = f"{message.title}\n{message.message}".strip()
    if link is None or len(link) > BODY // 2:
        return shortened(words, BODY)
    return f"{shortened(words, BODY - len(link) - 1)}\n{link}"
