"""Whether a connection can send and hear, as far as Meta tells without a message.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

from tocsin.channels.calling import decoded
from tocsin.channels.contract import Account, BadCredentials, Rejected, SendFailure, Template
from tocsin.channels.whatsapp import failures, versions
from tocsin.channels.whatsapp.forms import WhatsAppCredentials, WhatsAppSettings
from tocsin.channels.whatsapp.graph import asked
from tocsin.channels.whatsapp.templates import listed
from tocsin.kit.http import Door

SCOPE = "whatsapp_business_messaging"

_NODE = "id,display_phone_number,verified_name,quality_rating,throughput,name_status"


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


async def looked_over(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> Account:
    """The number, with what its owner should see to. Fails like ``send``."""
    number = await _number(settings, credentials, door)
    templates, unread = await _templates(settings, credentials, door)
    warnings = [
        versions.warning(settings.graph_version, datetime.now(UTC).date()),
        await _about_subscription(settings, credentials, door),
        unread or _about_template(settings, templates),
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
        templates=templates,
    )


async def _number(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> _Number:
    try:
        reply = await asked(settings, credentials, door, "GET", settings.phone_number_id, fields=_NODE)
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
        reply = await asked(settings, credentials, door, "GET", path)
        subscribed = decoded(reply, _Subscribed)
    except SendFailure as failure:
        return f"The apps of the WhatsApp Business Account could not be read: {failure.reason}"
    if not subscribed.data:
        return "No app is subscribed to the WhatsApp Business Account, so no status or message will reach us."
    return None


async def _templates(
    settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door
) -> tuple[tuple[Template, ...] | None, str | None]:
    """The templates of the account, or why they are not known."""
    if settings.business_account_id is None:
        return None, None
    try:
        return await listed(settings, credentials, door), None
    except SendFailure as failure:
        return None, f"The templates of the WhatsApp Business Account could not be read: {failure.reason}"


def _about_template(settings: WhatsAppSettings, templates: tuple[Template, ...] | None) -> str | None:
    """Whether Meta would take the template: approved in this language, and with as many places as words."""
    name, language = settings.template, settings.template_language
    if name is None:
        return "Without a template nobody is reached who has not written to this number within 24 hours."
    if templates is None:
        return None
    found = next((each for each in templates if (each.name, each.language) == (name, language)), None)
    if found is None:
        return f"There is no template {name} in {language}."
    if found.status != "APPROVED":
        return f"The template {name} is {found.status.lower()}, so Meta will not send it."
    places, given = found.places, len(settings.template_parameters)
    return None if places == given else f"The template {name} has {places} places and is given {given} words."


async def _about_token(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> list[str]:
    """What Meta says about the token, where it says anything: not every token may ask about itself."""
    try:
        token = credentials.access_token.get_secret_value()
        reply = await asked(settings, credentials, door, "GET", "debug_token", input_token=token)
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
