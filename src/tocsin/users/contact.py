"""E-mail addresses and phone numbers as people type them."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

from tocsin.channels.contract import Channel
from tocsin.channels.registry import providers

# A practical form of RFC 5321: a dot-atom before the @ (no quoted names), a host name with a dot behind it.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")


def normal_email(value: str) -> str:
    """The address in the form it is stored and compared in: lower case, host name in ASCII."""
    text = unicodedata.normalize("NFC", value.strip())
    local, at, host = text.rpartition("@")
    if not at or len(text) > 254 or len(local) > 64 or not _LOCAL.fullmatch(local):
        raise ValueError("is not an e-mail address")
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("has a host name that does not exist") from None
    labels = host.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels) or labels[-1].isdigit():
        raise ValueError("has a host name that does not exist")
    return f"{local.lower()}@{host}"


def normal_phone(value: str) -> str:
    """The number in international form (E.164): a plus sign and 7 to 15 digits."""
    text = re.sub(r"[ ().-]", "", value.strip())
    if not _PHONE.fullmatch(text):
        raise ValueError("is not a phone number in international form, e.g. +436601234567")
    return text


def address_problem(kind: str, value: str) -> str | None:
    """Why no channel that goes by addresses of this kind can reach anybody there; None where nobody can tell."""
    judges = [each for each in providers().values() if isinstance(each, Channel) and each.address_kind == kind]
    problems = [judge.address_problem(value) for judge in judges]
    return problems[0] if problems and all(problems) else None


Email = Annotated[
    str,
    AfterValidator(normal_email),
    Field(examples=["ada@example.com"], max_length=254, json_schema_extra={"format": "email"}),
]
Phone = Annotated[
    str,
    AfterValidator(normal_phone),
    Field(
        examples=["+436601234567"],
        max_length=40,
        json_schema_extra={"pattern": r"^\+[ ().-]*[1-9]([ ().-]*[0-9]){6,14}[ ().-]*$"},
    ),
]
