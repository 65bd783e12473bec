"""The environment variables of a single-tenant installation, as accounts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.imports.wanted import Account, BadInput, read_account
from tocsin.kit.errors import Problem

PLACES = ("orders", "inventory")

_ON, _OFF = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclass(frozen=True, slots=True)
class _Variables:
    """Which variables make an account: each ``fields`` pointer of a given connection with the name of its variable."""

    provider: str
    fields: Mapping[str, str]
    required: Mapping[str, str]
    """Of these variables, where to have them from."""
    address: str
    enabled: str
    address_from: str

    @property
    def names(self) -> set[str]:
        of_places = {form.format(place.upper()) for place in PLACES for form in (self.address, self.enabled)}
        return {*self.fields.values(), *of_places}


_TELEGRAM = _Variables(
    provider="telegram",
    fields={"/credentials/botToken": "TELEGRAM_BOT_TOKEN"},
    required={"TELEGRAM_BOT_TOKEN": "@BotFather shows it"},
    address="TELEGRAM_{}_CHAT_ID",
    enabled="TELEGRAM_{}_ENABLED",
    address_from="a group's is a number such as -1001234567890",
)
_WHATSAPP = _Variables(
    provider="whatsapp",
    fields={
        "/credentials/accessToken": "WHATSAPP_ACCESS_TOKEN",
        "/credentials/appSecret": "WHATSAPP_APP_SECRET",
        "/settings/phoneNumberId": "WHATSAPP_PHONE_NUMBER_ID",
        "/settings/businessAccountId": "WHATSAPP_BUSINESS_ACCOUNT_ID",
        "/verifyToken": "WHATSAPP_VERIFY_TOKEN",
    },
    required={
        "WHATSAPP_ACCESS_TOKEN": "that of a system user of the Meta app",
        "WHATSAPP_PHONE_NUMBER_ID": "Meta's console shows it beside the number",
    },
    address="WHATSAPP_{}_RECIPIENT",
    enabled="WHATSAPP_{}_ENABLED",
    address_from="a number such as +436601234567",
)
_ALL = (_TELEGRAM, _WHATSAPP)


def read_variables(given: Mapping[str, str], provider: str | None = None) -> tuple[tuple[Account, ...], list[str]]:
    """The accounts, of one provider or of all, and what was left out in words. An empty variable is none.

    Raises BadInput with every mistake.
    """
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    wanted = [variables for variables in _ALL if provider in (variables.provider, None)]
    accounts: list[Account] = []
    mistakes: list[str] = []
    left_out = [words for variables in _ALL for words in _unread(variables, values, wanted=variables in wanted)]
    for variables in wanted:
        if values.keys() & variables.names:
            try:
                accounts.append(_account(variables, values, left_out))
            except BadInput as bad:
                mistakes.extend(bad.mistakes)
    if mistakes:
        raise BadInput(*mistakes)
    if not accounts:
        names = " and ".join(name for variables in wanted for name in variables.required)
        raise BadInput(f"there is nothing to import: give {names}; docs/import.md lists what else is read.")
    return tuple(accounts), left_out


def _unread(variables: _Variables, values: Mapping[str, str], *, wanted: bool) -> list[str]:
    provider = variables.provider
    ours = [name for name in sorted(values) if name.startswith(f"{provider.upper()}_")]
    if wanted:
        return [f"{name} is not read" for name in ours if name not in variables.names]
    return [f"{provider.upper()}_ variables ({len(ours)}) are for tocsin import {provider}, or all"] if ours else []


def _account(variables: _Variables, values: Mapping[str, str], left_out: list[str]) -> Account:
    if missing := [name for name in variables.required if name not in values]:
        raise BadInput(*(f"{name} is missing: {variables.required[name]}." for name in missing))
    given: dict[str, Any] = {"provider": variables.provider, "settings": {}, "credentials": {}}
    named: dict[str, str] = {}
    for pointer, name in variables.fields.items():
        if name in values:
            *inside, field = pointer[1:].split("/")
            (given[inside[0]] if inside else given)[field] = values[name]
            named[pointer] = name
    given["destinations"] = []
    for place in PLACES:
        _add_place(variables, place, values, given["destinations"], named, left_out)
    try:
        return read_account(given)
    except Problem as problem:
        raise BadInput(
            *(
                f"{named.get(error.pointer, error.pointer)}: {error.detail}{_hint(variables, error.code)}"
                for error in problem.errors
            )
        ) from None


def _add_place(
    variables: _Variables,
    place: str,
    values: Mapping[str, str],
    destinations: list[dict[str, Any]],
    named: dict[str, str],
    left_out: list[str],
) -> None:
    address, enabled = variables.address.format(place.upper()), variables.enabled.format(place.upper())
    switched = values.get(enabled, "true").lower()
    if switched not in (*_ON, *_OFF):
        raise BadInput(f"{enabled} is neither on nor off: write true or false.")
    if address in values:
        named[f"/destinations/{len(destinations)}/address"] = address
        destinations.append({"name": place, "address": values[address], "enabled": switched in _ON})
    elif enabled in values and switched in _ON:
        left_out.append(f"{enabled} is on, but {address} is missing: no destination {place}")


def _hint(variables: _Variables, code: str) -> str:
    return f" Correct it: {variables.address_from}." if code == "invalid_address" else ""
