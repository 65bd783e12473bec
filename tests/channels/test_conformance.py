"""C1: what every provider of the registry keeps, whoever wrote it."""

import re
from typing import Any, get_args

import jsonschema_rs
import pytest
from pydantic import SecretStr, ValidationError

from tocsin.channels.contract import Channel, Described, Provider
from tocsin.channels.registry import providers, sender

EVERY = [pytest.param(provider, id=name) for name, provider in providers().items()]
SENDING = [pytest.param(p, id=name) for name, p in providers().items() if isinstance(p, Channel)]

BY_THEIR_ID = {"pusher"}
"""Where a person is known under the id that we gave them, and needs no further address."""

KEYS = [
    "provider",
    "channel",
    "title",
    "reaches",
    "addressKind",
    "instant",
    "hasDestinations",
    "settingsSchema",
    "credentialsSchema",
    "setupSteps",
]


def is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(is_secret(part) for part in get_args(annotation))


def variants(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]


@pytest.mark.parametrize("provider", EVERY)
def test_the_description_has_the_same_keys_for_all(provider: Provider) -> None:
    described = provider.describe()
    assert list(described) == KEYS
    assert re.fullmatch(r"[a-z][a-z0-9_]{1,31}", described["provider"])
    assert described["title"]
    names = [step["key"] for step in described["setupSteps"]]
    assert names and len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)
    assert providers()[described["provider"]] is provider


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize("part", ["settingsSchema", "credentialsSchema"])
def test_schemas_are_valid_and_closed_and_labelled(provider: Provider, part: str) -> None:
    schema = provider.describe()[part]
    jsonschema_rs.meta.validate(schema)
    assert schema["additionalProperties"] is False
    for name, field in schema.get("properties", {}).items():
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", name)
        assert field["title"]


@pytest.mark.parametrize("provider", EVERY)
def test_secrets_are_marked_and_live_among_the_credentials(provider: Provider) -> None:
    assert not any(is_secret(field.annotation) for field in provider.settings.model_fields.values())
    schema = provider.credentials.model_json_schema()
    for name, field in provider.credentials.model_fields.items():
        marked = all(
            part.get("writeOnly") is True and part.get("format") == "password"
            for part in variants(schema["properties"][field.alias or name])
        )
        assert marked == is_secret(field.annotation)
        assert marked or not re.search("secret|password|token|key", name)


@pytest.mark.parametrize("provider", EVERY)
def test_unknown_settings_are_refused(provider: Provider) -> None:
    for model in (provider.settings, provider.credentials):
        assert issubclass(model, Described)
        with pytest.raises(ValidationError) as refused:
            model.model_validate({"noSuchThing": 1})
        assert "extra_forbidden" in [error["type"] for error in refused.value.errors()]


@pytest.mark.parametrize("channel", SENDING)
def test_a_channel_plans_eight_tries_and_begins_at_once(channel: Channel[Any, Any]) -> None:
    assert len(channel.retries) == 8
    assert channel.retries[0] == 0
    assert list(channel.retries) == sorted(channel.retries)
    assert sum(channel.retries) in range(1_500, 1_801) or 27 <= sum(channel.retries) / 3_600 < 28


@pytest.mark.parametrize("channel", SENDING)
def test_one_that_reaches_a_person_says_by_what_address(channel: Channel[Any, Any]) -> None:
    addressed = channel.reaches == "person" and channel.provider not in BY_THEIR_ID
    assert addressed == (channel.address_kind is not None)


@pytest.mark.parametrize("channel", SENDING)
def test_one_that_has_destinations_judges_their_addresses(channel: Channel[Any, Any]) -> None:
    assert not channel.has_destinations or channel.address_problem("no place at all") is not None


def test_only_what_sends_can_be_asked_to_send() -> None:
    assert not providers()["webhook"].instant
    assert providers()["realtime"].instant
    assert not hasattr(providers()["realtime"], "send")
    for name in ("realtime", "pigeon"):
        with pytest.raises(KeyError):
            sender(name)
    assert sender("smtp") is providers()["smtp"]


def test_credentials_are_stored_whole_and_shown_masked() -> None:
    given = {"username": "acme", "password": "correct horse battery staple"}
    credentials = providers()["smtp"].credentials.model_validate(given)
    assert credentials.revealed() == given
    assert credentials.masked() == {"username": "acme", "password": "****aple"}
    assert "horse" not in f"{credentials!r} {credentials} {credentials.model_dump_json()}"
    short = providers()["smtp"].credentials.model_validate({"username": "a", "password": "abcdefg"})
    assert short.masked()["password"] == "****"
