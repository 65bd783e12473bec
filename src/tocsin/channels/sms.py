"""Notifications as text messages, through Twilio or whoever speaks its API.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import base64
import re
from typing import Self
from urllib.parse import urlencode

import msgspec
from pydantic import Field, SecretStr, model_validator

from tocsin.channels.calling import call, decoded, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Channel,
    Described,
    Message,
    Receipt,
    Rejected,
    SendFailure,
)
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import MAX_URL, Door, Reply

BODY = 1_600
"""https://www.twilio.com/docs/api/errors/21617"""

# https://www.twilio.com/docs/api/errors: the sender is missing, not ours, or not fit to send text messages.
SENDER_CODES = frozenset({21212, 21603, 21606, 21611, 21659, 21660, 21701, 21703, 21705})

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


class _Sent(msgspec.Struct):
    sid: str


class _Account(msgspec.Struct):
    sid: str
    status: str
    friendly_name: str = ""


class _Error(msgspec.Struct):
    code: int
    message: str = ""


class Sms(Channel[SmsSettings, SmsCredentials]):
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
        "Copy the account SID and the auth token from the console, or make an API key.",
        "Choose the number, name or messaging service that messages come from.",
        "Enter everything here and verify.",
    )

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
        reply = await _asked(settings, credentials, door, "/Messages.json", urlencode(form).encode())
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


async def _asked(
    settings: SmsSettings, credentials: SmsCredentials, door: Door, path: str, form: bytes | None = None
) -> Reply:
    url = f"{settings.url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}{path}"
    login = f"{credentials.username or settings.account_sid}:{credentials.auth_token.get_secret_value()}"
    headers = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    try:
        return await call(door, "POST" if form else "GET", url, headers=headers, form=form)
    except Rejected as refusal:
        raise _told_apart(refusal) from refusal


def _told_apart(refusal: Rejected) -> SendFailure:
    """A refused message whose sender is at fault will be taken once the connection is mended."""
    try:
        error = msgspec.json.decode(refusal.answer, type=_Error)
    except msgspec.MsgspecError:
        return refusal
    kind = BadCredentials if error.code in SENDER_CODES else Rejected
    return kind(f"{error.message} ({error.code})", status=refusal.status, answer=refusal.answer)


def _text(message: Message) -> str:
    """Title, message and one link, the link whole whatever has to go."""
    link = next((url for url, _ in links(message)), None)
    words = f"{message.title}\n{message.message}".strip()
    if link is None or len(link) > BODY // 2:
        return shortened(words, BODY)
    return f"{shortened(words, BODY - len(link) - 1)}\n{link}"
