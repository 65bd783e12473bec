"""The ``data`` of what is published about notifications (W2), as JSON text.

What is the same for every recipient is encoded once; ``with_seq`` adds the recipient's own place in their feed.
"""

from typing import Any
from uuid import UUID

import msgspec

from tocsin.kit.schema import iso
from tocsin.users.language import Words, words_in


class Created:
    """A notification as its recipients see it, for ``notification.created`` and ``notification.repeated``: encoded once
    for each locale and way of reading that they have, with its sound and without."""

    def __init__(self, row: Any, sound_url: str | None) -> None:
        self._row = row
        self._sound_url = sound_url
        self._translations = msgspec.json.decode(row["translations"]) if row["translations"] else None
        self._locales: dict[str, str] = msgspec.json.decode(row["locales"]) if row["locales"] else {}
        self._ways: dict[str, str] = msgspec.json.decode(row["ways"]) if row["ways"] else {}
        self._encoded: dict[tuple[str | None, str | None, bool], str] = {}

    def to(self, person: UUID, *, silent: bool = False) -> str:
        """``silent``: for whoever wants no sound now. It has none then, so that no app rings by mistake."""
        reads = self._locales.get(str(person)), self._ways.get(str(person)), silent
        if reads not in self._encoded:
            self._encoded[reads] = self._for(*reads)
        return self._encoded[reads]

    def _for(self, locale: str | None, way: str | None, silent: bool) -> str:
        action = msgspec.json.decode(self._row["action"]) if self._row["action"] else None
        written = Words(self._row["title"], self._row["message"], action)
        words = words_in(written, self._translations, locale, self._row["language"], channel="realtime", way=way)
        return _created(self._row, words, self._sound_url, silent)


def _created(row: Any, words: Words, sound_url: str | None, silent: bool) -> str:
    event = None
    if row["event_id"] is not None:
        event = {"id": row["event_id"], "type": row["event_type"], "clientEventId": row["client_event_id"]}
    return _json(
        {
            "id": row["id"],
            "title": words.title,
            "message": words.message,
            "sound": None if silent else row["sound"],
            "soundUrl": None if silent else sound_url,
            "silent": silent,
            "priority": row["priority"],
            "action": words.action,
            "requireAck": row["require_ack"],
            "createdAt": iso(row["created_at"]),
            "event": event,
        }
    )


def acknowledged(row: Any) -> str:
    """Who has acknowledged, recipients by time. Before them who did it first without being one of them: somebody
    of the panel, or an API key or somebody of a chat, for whom ``userId`` is null; these have a ``name``.
    """
    by = [{"userId": user, "name": name, "at": iso(at), "via": via} for user, at, via, name in row["acknowledged"]]
    if row["acked_at"] is not None and all(each["userId"] != row["acked_by"] for each in by):
        first = {"userId": row["acked_by"], "name": row["acked_as"] or row["acked_by_name"]}
        by.insert(0, {**first, "at": iso(row["acked_at"]), "via": row["acked_via"]})
    return _json({"id": row["id"], "acknowledgedBy": by})


def summary(row: Any) -> str:
    """One line of the panel's live activity; ``recipients`` is their number."""
    return _json(
        {
            "id": row["id"],
            "ruleId": row["rule_id"],
            "title": row["title"],
            "priority": row["priority"],
            "eventId": row["event_id"],
            "eventType": row["event_type"],
            "recipients": row["recipients"],
            "createdAt": iso(row["created_at"]),
        }
    )


def connection_status(row: Any) -> str:
    """A connection as it stands, for its owner."""
    return _json(
        {
            "id": row["id"],
            "name": row["name"],
            "channel": row["channel"],
            "provider": row["provider"],
            "status": row["status"],
            "statusReason": row["status_reason"],
        }
    )


def with_seq(data: str, seq: int) -> str:
    return f'{data[:-1]},"seq":{seq}}}'


def _json(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
