"""The mails whose words a project may replace: what they say otherwise, and what they must go on saying.

The link of a mail is no part of its words: it stands below them as a button, so no wording can lose it.
"""

import re
from string import Formatter
from typing import NamedTuple

from tocsin.kit.errors import FieldError
from tocsin.mail.words import REWORDABLE, WORDS
from tocsin.rules import templates

MUST_SAY: dict[str, frozenset[str]] = {
    "email_change_notice": frozenset({"address"}),
    "quota_warning": frozenset({"quota"}),
    "quota_exceeded": frozenset({"quota"}),
    "webhook_paused": frozenset({"endpoint"}),
    "connection_stopped": frozenset({"connection", "reason"}),
    "connection_led_away": frozenset({"connection", "reason"}),
    "connection_warned": frozenset({"connection", "reason"}),
    "connection_suspended": frozenset({"connection", "reason"}),
    "connection_accessed": frozenset({"connection", "until", "reason"}),
}
"""Without which the mail would not tell what it is for."""


class Standing(NamedTuple):
    """A mail as it is worded where nobody says otherwise, written as a template."""

    name: str
    subject: str
    body: str
    variables: list[str]
    must_say: list[str]
    button: str | None


def standing() -> list[Standing]:
    return [_standing(name) for name in REWORDABLE]


def _standing(name: str) -> Standing:
    words = _words()[name]
    subject, body = _as_liquid(words.subject), _as_liquid(words.text)
    return Standing(name, subject, body, sorted(known(name)), sorted(MUST_SAY.get(name, ())), words.button)


def known(name: str) -> frozenset[str]:
    """The names under ``payload`` that a mail has values for."""
    words = _words()[name]
    fields = {field for text in (words.subject, words.text) for _, field, _, _ in Formatter().parse(text) if field}
    return frozenset(fields - {"project"})


def sample(name: str) -> dict[str, str]:
    """Values to show a template with."""
    return {variable: f"[{variable}]" for variable in sorted(known(name))}


def check(name: str, subject: str, body: str) -> list[FieldError]:
    """What is wrong with a wording, beyond its syntax."""
    used = {text: set(templates.variables(text)) for text in (subject, body)}
    errors = []
    for pointer, text in (("/subject", subject), ("/body", body)):
        for path in sorted(used[text]):
            root, _, rest = path.partition(".")
            if root == "payload" and rest.partition(".")[0] not in known(name):
                words = f"This mail has no {path}; it has {', '.join(sorted(known(name))) or 'no values of its own'}."
                errors.append(FieldError(pointer, "unknown_name", words))
    said = {path.partition(".")[2] for paths in used.values() for path in paths}
    errors += [
        FieldError("/body", "must_say", f"This mail must say {{{{ payload.{name} }}}}.")
        for name in sorted(MUST_SAY.get(name, frozenset()) - said)
    ]
    return errors


def _words() -> dict[str, "_Words"]:
    return {str(kind): _Words(*words) for kind, words in WORDS.items()}


class _Words(NamedTuple):
    subject: str
    text: str
    button: str | None


def _as_liquid(text: str) -> str:
    return _FIELD.sub(lambda found: _OTHERS.get(found[1], f"{{{{ payload.{found[1]} }}}}"), text)


_FIELD = re.compile(r"\{(\w+)\}")
# `limit` is a word of Liquid's own.
_OTHERS = {"project": "{{ project.name }}", "limit": "{{ payload['limit'] }}"}
