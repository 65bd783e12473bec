"""What Meta reports: is it genuine, and what are its parts?

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages. Everything is
an array, and every element of each is one report. Since 2026 people may hide their numbers; then ``user_id`` and
``from_user_id`` name them, and ``wa_id`` and ``from`` are missing. Both generations are read.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from tocsin.channels.contract import Item, NotUnderstood

SIGNATURE = "x-hub-signature-256"
OBJECT = "whatsapp_business_account"

Kind = Literal["message", "status", "error", "other"]

_ARRAYS: tuple[tuple[str, Kind], ...] = (("messages", "message"), ("statuses", "status"), ("errors", "error"))


class Report(msgspec.Struct, rename="camel"):
    """One element of a call, as it is kept: ``told`` is Meta's own object.

    ``number_id`` is the phone number ID that it is about, None for what is about the whole account; ``contact`` is the
    entry of ``contacts`` about the person who wrote.
    """

    kind: Kind
    field: str
    number_id: str | None
    told: Any
    contact: Any = None


def is_genuine(headers: Mapping[str, str], body: bytes, app_secret: str) -> bool:
    """Whether the bytes, as they came, are signed with the app's secret."""
    wanted = "sha256=" + hmac.digest(app_secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(wanted.encode(), headers.get(SIGNATURE, "").encode())


def challenge(query: Mapping[str, str], verify_token: str) -> str | None:
    """What proves to Meta that the address is ours, or None where the caller does not know the verify token."""
    given = query.get("hub.verify_token", "")
    if query.get("hub.mode") != "subscribe" or not hmac.compare_digest(given.encode(), verify_token.encode()):
        return None
    return query.get("hub.challenge")


def items(body: Any) -> list[Item]:
    """Every element of a genuine call under a name that is the same whenever it is repeated. Raises NotUnderstood."""
    if not isinstance(body, dict) or not isinstance(body.get("entry"), list):
        raise NotUnderstood("A call of WhatsApp is an object with an array named entry.")
    return [Item(_name(report), msgspec.to_builtins(report)) for report in _reports(body)]


def number_of(item: Item) -> str | None:
    """The phone number ID that an item is about."""
    number: str | None = item.payload["numberId"]
    return number


def account_of(item: Item) -> str | None:
    """The account that an item is about, where it is about no number."""
    told = item.payload["told"]
    return str(told["account"]) if item.payload["kind"] == "other" and item.payload["numberId"] is None else None


def _reports(body: Mapping[str, Any]) -> Iterator[Report]:
    for entry in _objects(body, "entry"):
        for change in _objects(entry, "changes"):
            yield from _of_change(change, str(entry.get("id", "")), entry.get("time"))


def _of_change(change: Mapping[str, Any], account: str, time: Any) -> Iterator[Report]:
    value = change.get("value")
    field = str(change.get("field", ""))[:100]
    known = value if isinstance(value, dict) else {}
    number = _number(known)
    found = False
    for array, kind in _ARRAYS:
        elements = known.get(array)
        for element in elements if isinstance(elements, list) else ():
            found = True
            contact = _contact(known, element) if kind == "message" else None
            yield Report(kind, field, number, element, contact)
    if not found:
        # With its time: what is so again later is told in the same words.
        yield Report("other", field, number, {"account": account, "time": time, "value": value})


def _objects(holder: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    elements = holder.get(name)
    if isinstance(elements, list):
        yield from (element for element in elements if isinstance(element, dict))


def _number(value: Mapping[str, Any]) -> str | None:
    metadata = value.get("metadata")
    number = metadata.get("phone_number_id") if isinstance(metadata, dict) else None
    return None if number is None else str(number)


def _contact(value: Mapping[str, Any], message: Any) -> Any:
    """The contact that a message is from; a single one needs no name to be told from others."""
    contacts = list(_objects(value, "contacts"))
    if len(contacts) == 1 or not isinstance(message, dict):
        return contacts[0] if contacts else None
    pairs = (("wa_id", "from"), ("user_id", "from_user_id"))
    return next((each for each in contacts if any(each.get(a) == message.get(b) is not None for a, b in pairs)), None)


def _name(report: Report) -> str:
    """A message and each status of one have an id of Meta's; the rest is known by its content."""
    told = report.told if isinstance(report.told, dict) else {}
    id_ = told.get("id")
    if isinstance(id_, str) and id_ and report.kind == "message":
        return _short(f"message:{report.number_id}:{id_}")
    if isinstance(id_, str) and id_ and report.kind == "status":
        return _short(f"status:{report.number_id}:{id_}:{told.get('status')}")
    content = msgspec.json.encode(report, order="sorted")
    return f"{report.kind}:{hashlib.sha256(content).hexdigest()}"


def _short(name: str) -> str:
    """Never cut, which could make two of one."""
    return name if len(name) <= 180 else f"{name[:100]}:{hashlib.sha256(name.encode()).hexdigest()}"
