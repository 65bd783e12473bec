"""Sending through the Cloud API.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tocsin.channels.calling import decoded
from tocsin.channels.contract import ANSWER_LIMIT, Account, Channel, Inbound, Item, Message, Receipt, Rejected, Step
from tocsin.channels.whatsapp import failures, reports, words
from tocsin.channels.whatsapp.forms import WhatsAppCredentials, WhatsAppSettings
from tocsin.channels.whatsapp.graph import asked
from tocsin.channels.whatsapp.numbers import is_number, is_scoped_id, known_as
from tocsin.channels.whatsapp.verify import looked_over
from tocsin.kit.http import Door

CLOSING = timedelta(seconds=30)
"""A message that leaves so shortly before the window closes may arrive after."""


class _Message(msgspec.Struct):
    id: str


class _Sent(msgspec.Struct):
    messages: list[_Message]


class WhatsApp(Channel[WhatsAppSettings, WhatsAppCredentials], Inbound[WhatsAppCredentials]):
    """One message per person and notification."""

    provider = "whatsapp"
    channel = "whatsapp"
    title = "WhatsApp"
    reaches = "person"
    address_kind = "whatsapp"
    address_else = "phone"
    windowed = True
    has_destinations = True
    settings = WhatsAppSettings
    credentials = WhatsAppCredentials
    setup_steps = (
        Step(
            "app",
            "In Meta's developer console make an app of the type Business and add WhatsApp to it.",
            done_by="saved",
        ),
        Step(
            "token",
            "Make a system user with an access token that does not expire, and copy it here with the app secret.",
            done_by="saved",
        ),
        Step(
            "verify",
            "Copy the phone number ID and the WhatsApp Business Account ID here, and verify.",
            done_by="verified",
        ),
        Step(
            "callback",
            "Enter the callback address and the verify token in the app, and save: Meta calls at once.",
            done_by="led",
        ),
        Step(
            "subscribe",
            "Subscribe the fields messages and message_template_status_update there, and the app to the"
            " WhatsApp Business Account.",
            done_by="heard",
        ),
        Step(
            "template",
            "Have a template of the category Utility approved, and name it in the settings.",
            done_by="approved",
        ),
    )
    shows_secret = True

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
        return await looked_over(settings, credentials, door)

    def account_in(self, settings: WhatsAppSettings, credentials: WhatsAppCredentials) -> str:
        return settings.phone_number_id

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
    reply = await asked(settings, credentials, door, "POST", path, json=body)
    sent = decoded(reply, _Sent)
    return Receipt(
        delivered=False,
        provider_message_id=sent.messages[0].id if sent.messages else None,
        status=reply.status,
        answer=reply.text(ANSWER_LIMIT),
    )
