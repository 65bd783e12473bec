"""Templates of a WhatsApp Business Account: what Meta has approved, and what it says when that changes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/template-management
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/message_template_status_update
"""

import re
from typing import Any

import msgspec

from tocsin.channels.calling import decoded
from tocsin.channels.contract import Template
from tocsin.channels.whatsapp.forms import WhatsAppCredentials, WhatsAppSettings
from tocsin.channels.whatsapp.graph import asked
from tocsin.kit.http import Door

MOST_PAGES, PAGE = 10, 100
"""An account has 250 templates, or 6,000 when its business is verified; we keep the first thousand."""

STATUS_FIELD, CATEGORY_FIELD = "message_template_status_update", "template_category_update"

_PLACE = re.compile(r"\{\{[^{}]+\}\}")


class _Part(msgspec.Struct):
    type: str
    text: str = ""


class _Template(msgspec.Struct):
    name: str
    language: str
    status: str
    category: str = ""
    components: list[_Part] = []


class _Cursors(msgspec.Struct):
    after: str = ""


class _Paging(msgspec.Struct):
    cursors: _Cursors = msgspec.field(default_factory=_Cursors)
    next: str | None = None


class _Page(msgspec.Struct):
    data: list[_Template]
    paging: _Paging | None = None


class _Changed(msgspec.Struct):
    message_template_name: str
    message_template_language: str
    event: str | None = None
    new_category: str | None = None


class Change(msgspec.Struct):
    """What Meta says has changed about a template: its status, its category, or both."""

    name: str
    language: str
    status: str | None
    category: str | None


async def listed(settings: WhatsAppSettings, credentials: WhatsAppCredentials, door: Door) -> tuple[Template, ...]:
    """The templates of the account. Fails like ``send``."""
    found: list[Template] = []
    query = {"fields": "name,language,status,category,components", "limit": str(PAGE)}
    for _ in range(MOST_PAGES):
        path = f"{settings.business_account_id}/message_templates"
        page = decoded(await asked(settings, credentials, door, "GET", path, **query), _Page)
        found += [_known(each) for each in page.data]
        if page.paging is None or page.paging.next is None or not page.paging.cursors.after:
            break
        query["after"] = page.paging.cursors.after
    return tuple(found)


def _known(template: _Template) -> Template:
    body = next((part.text for part in template.components if part.type.upper() == "BODY"), "")
    places = len(set(_PLACE.findall(body)))
    return Template(template.name, template.language, template.status, template.category, places)


def change(field: str, value: Any) -> Change | None:
    """What such a report says; None for one of another kind. Raises msgspec.ValidationError."""
    if field not in (STATUS_FIELD, CATEGORY_FIELD):
        return None
    told = msgspec.convert(value, _Changed)
    status = told.event if field == STATUS_FIELD and told.event != "FLAGGED" else None  # flagged ones are still sent
    return Change(
        told.message_template_name,
        told.message_template_language.replace("-", "_"),
        "APPROVED" if status == "REINSTATED" else status,
        told.new_category if field == CATEGORY_FIELD else None,
    )
