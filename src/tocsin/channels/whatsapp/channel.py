"""Sending through the Cloud API, and whether a connection can.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from pydantic import Field, SecretStr
from yarl import URL

from tocsin.channels.calling import HeaderSecret, api_of, decoded, exchanged
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    BadCredentials,
    Channel,
    Described,
    Inbound,
    Item,
    Message,
    Receipt,
    Rejected,
    SendFailure,
)
from tocsin.channels.whatsapp import failures, reports, versions, words
from tocsin.channels.whatsapp.numbers import is_number, is_scoped_id, known_as
from tocsin.kit.http import Door, Reply

API = "https://graph.facebook.com"
CLOSING = timedelta(seconds=30)
"""A message that leaves so shortly before the window closes may arrive after."""

_NODE = "id,display_phone_number,verified_name,quality_rating,throughput,name_status"


class WhatsAppSettings(Described):
    """Which number sends, and what it says to people who have not written within 24 hours."""

    phone_number_id: str = Field(
        title="Phone number ID",
        description="Of the number in Meta's app: not the number itself, nor the ID of the account.",
        pattern=r"^[0-9]{5,30}$",
    )
    business_account_id: str | None = Field(
        None, title="WhatsApp Business Account ID", description="To check what reaches us.", pattern=r"^[0-9]{5,30}$"
    )
    graph_version: str = Field(
        versions.CURRENT, title="Version of the Graph API", pattern=r"^v(2[1-9]|[3-9][0-9])\.[0-9]$"
    )
    template: str | None = Field(
        None,
        title="Template",
        description="An approved one of the category Utility, for people who have not written within 24 hours."
        " Without it they cannot be reached.",
        pattern=r"^[a-z0-9_]{1,512}$",
    )
    template_language: str = Field("en_US", title="Language of the template", pattern=r"^[a-z]{2,3}(_[A-Z]{2,3})?$")
    template_parameters: tuple[words.Word, ...] = Field(
        ("title", "message"), title="Words in the places of the template's body, in order", max_length=10
    )


class WhatsAppCredentials(Described):
    """Of the Meta app that the number belongs to."""

    access_token: HeaderSecret = Field(
        title="Access token",
        description="Of a system user, with whatsapp_business_messaging and whatsapp_business_management.",
    )
    app_secret: SecretStr | None = Field(
        None,
        title="App secret",
        description="Proves that what arrives was sent by Meta. Left out where a registered Meta app receives.",
        min_length=16,
        max_length=128,
    )


class _Message(msgspec.Struct):
    id: str


class _Sent(msgspec.Struct):
    messages: list[_Message]


class _Throughput(msgspec.Struct):
    level: str = ""


class _Number(msgspec.Struct):
    id: str
    display_phone_number: str
    verified_name: str = ""
    quality_rating: str = ""
    name_status: str = ""
    throughput: _Throughput | None = None


class _Subscribed(msgspec.Struct):
    data: list[dict[str, Any]]


class _Token(msgspec.Struct):
    is_valid: bool | None = None
    expires_at: int = 0
    scopes: list[str] | None = None


class _Debugged(msgspec.Struct):
    data: _Token


SCOPE = "whatsapp_business_messaging"


class WhatsApp(Channel[WhatsAppSettings, WhatsAppCredentials], Inbound[WhatsAppCredentials]):
    """One message per person and notification."""

    provider = "whatsapp"
    channel = "whatsapp"
    title = "WhatsApp"
    reaches = "person"
    address_kind = "whatsapp"
    address_else = "phone"
    windowed = True
    settings = WhatsAppSettings
    credentials = WhatsAppCredentials
    setup_steps = (
        "In Meta's developer console make an app of the type Business and add WhatsApp to it.",
        "Make a system user with an access token that does not expire, and copy it here with the app secret.",
        "Copy the phone number ID and the WhatsApp Business Account ID here, and verify.",
        "Enter the callback address and the verify token in the app, and save: Meta calls at once.",
        "Subscribe the field messages there, and the app to the WhatsApp Business Account.",
        "Have a template of the category Utility approved, and name it in the settings.",
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: WhatsAppSettings,
        credentials: WhatsAppCredentials,
        door: Door,
    ) -> Receipt:
        """Accepted, never delivered: that is what a later status says."""
        if address is None or self.address_problem(address):
            raise Rejected("The address is neither a phone number in international form nor a WhatsApp user id.")
        closes = message.window_expires_at
        if closes is not None and closes - CLOSING > datetime.now(UTC):
            try:
                return await _posted(words.free(message), message, address, settings, credentials, door)
            except failures.WindowClosed:
                if settings.template is None:
                    raise
        if settings.template is None:
            raise Rejected(
                "The person has not written to this number within 24 hours, so only an approved template is allowed,"
                " and the connection names none."
            )
        content = words.templated(message, settings.template, settings.template_language, settings.template_parameters)
        return await _posted(content, message, address, settings, credentials, door)

    async def verify(self, settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> Account:
        """Read the number, and look for what would keep it from sending or hearing; send nothing."""
        number = await _number(settings, credentials, door)
        warnings = [
            versions.warning(settings.graph_version, datetime.now(UTC).date()),
            await _about_subscription(settings, credentials, door),
            *await _about_token(settings, credentials, door),
        ]
        return Account(
            id=number.id,
            name=f"{number.display_phone_number} ({number.verified_name})".removesuffix(" ()"),
            details={
                "displayPhoneNumber": number.display_phone_number,
                "verifiedName": number.verified_name,
                "qualityRating": number.quality_rating,
                "nameStatus": number.name_status,
                "throughput": number.throughput.level if number.throughput else "",
            },
            warnings=tuple(warning for warning in warnings if warning),
        )

    def address_problem(self, address: str) -> str | None:
        if is_number(address) or is_scoped_id(address):
            return None
        return "is neither a phone number in international form nor a WhatsApp user id"

    def authenticate(
        self, headers: Mapping[str, str], body: bytes, credentials: WhatsAppCredentials, secret: str
    ) -> bool:
        if credentials.app_secret is None:
            return False
        return reports.is_genuine(headers, body, credentials.app_secret.get_secret_value())

    def items(self, body: Any, credentials: WhatsAppCredentials) -> Sequence[Item]:
        """Also what is about another number: it is kept, and nothing follows from it."""
        return reports.items(body)

    def handshake(self, query: Mapping[str, str], credentials: WhatsAppCredentials, secret: str) -> str | None:
        return reports.challenge(query, secret)

    def known_as(self, address: str) -> tuple[str, ...]:
        return known_as(address)


async def _posted(
    content: dict[str, Any],
    message: Message,
    address: str,
    settings: WhatsAppSettings,
    credentials: WhatsAppCredentials,
    door: Door,
) -> Receipt:
    body = words.envelope(address) | content
    path = f"{settings.phone_number_id}/messages"
    reply = await _asked(settings, credentials, door, "POST", path, json=body)
    sent = decoded(reply, _Sent)
    return Receipt(
        delivered=False,
        provider_message_id=sent.messages[0].id if sent.messages else None,
        status=reply.status,
        answer=reply.text(ANSWER_LIMIT),
    )


async def _number(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> _Number:
    try:
        reply = await _asked(settings, credentials, door, "GET", settings.phone_number_id, fields=_NODE)
        return msgspec.json.decode(reply.body, type=_Number)
    except (Rejected, failures.UnknownObject) as refusal:
        raise _no_number(settings, refusal.answer) from refusal
    except msgspec.MsgspecError as error:
        raise _no_number(settings, "") from error


def _no_number(settings: WhatsAppSettings, answer: str) -> BadCredentials:
    return BadCredentials(
        f"{settings.phone_number_id} is no phone number ID, or the token may not see it. The ID stands beside the"
        " number in the app's WhatsApp settings; it is neither the number nor the ID of the account.",
        answer=answer,
    )


async def _about_subscription(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> str | None:
    """Whether an app gets what happens to the account: without one nothing would reach us."""
    if settings.business_account_id is None:
        return "Without the WhatsApp Business Account ID it cannot be seen whether statuses and messages reach us."
    try:
        path = f"{settings.business_account_id}/subscribed_apps"
        reply = await _asked(settings, credentials, door, "GET", path)
        subscribed = decoded(reply, _Subscribed)
    except SendFailure as failure:
        return f"The apps of the WhatsApp Business Account could not be read: {failure.reason}"
    if not subscribed.data:
        return "No app is subscribed to the WhatsApp Business Account, so no status or message will reach us."
    return None


async def _about_token(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> list[str]:
    """What Meta says about the token, where it says anything: not every token may ask about itself."""
    try:
        token = credentials.access_token.get_secret_value()
        reply = await _asked(settings, credentials, door, "GET", "debug_token", input_token=token)
        data = decoded(reply, _Debugged).data
    except SendFailure:
        return []
    found = []
    if data.scopes is not None and SCOPE not in data.scopes:
        found.append(f"The token lacks the permission {SCOPE}.")
    if data.expires_at:
        day = datetime.fromtimestamp(data.expires_at, UTC).date().isoformat()
        found.append(f"The token expires on {day}; a system user can have one that does not.")
    return found


async def _asked(
    settings: WhatsAppSettings,
    credentials: WhatsAppCredentials,
    door: Door,
    method: str,
    path: str,
    *,
    json: Any = None,
    **query: str,
) -> Reply:
    """A reply of 2xx. Raises Rejected, Unavailable or BadCredentials, in whose words the token is not: Meta repeats
    one that it does not understand."""
    token = credentials.access_token.get_secret_value()
    url = str(URL(f"{api_of('whatsapp', API)}/{settings.graph_version}/{path}").with_query(query or None))
    headers = {"Authorization": f"Bearer {token}"}
    body = None
    if json is not None:
        headers["Content-Type"] = "application/json"
        body = msgspec.json.encode(json)
    reply = await exchanged(door, method, url, headers, body)
    if 200 <= reply.status < 300:
        return reply
    raise failures.failure(replace(reply, body=reply.body.replace(token.encode(), b"****")))
