"""Signatures: the vectors of Pusher's document, and what our own two builders make (W1)."""

import json

import pytest

from tocsin.kit.errors import Invalid
from tocsin.realtime import auth

KEY, SECRET, SOCKET = "278d425bdf160c739803", "7ad3773142a6692b25b8", "1234.1234"
PRIVATE = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
USER = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
# The document prints another digest for its presence example; this one is what its string really hashes to.
PRESENCE = "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80"
PRESENCE_DATA = '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'


def test_the_documents_vectors() -> None:
    assert auth.channel_signature(SECRET, SOCKET, "private-foobar") == PRIVATE
    assert auth.channel_signature(SECRET, SOCKET, "presence-foobar", PRESENCE_DATA) == PRESENCE
    assert auth.user_signature(SECRET, SOCKET, '{"id":"12345"}') == USER


def test_a_private_channel_is_signed_with_the_key_in_front() -> None:
    assert auth.authorize(KEY, SECRET, SOCKET, "private-foobar") == {"auth": f"{KEY}:{PRIVATE}"}


def test_a_presence_channel_carries_its_member() -> None:
    answer = auth.authorize(KEY, SECRET, SOCKET, "presence-a", user_id="u1", user_info={"name": "Zoë"})
    assert json.loads(answer["channel_data"]) == {"user_id": "u1", "user_info": {"name": "Zoë"}}
    assert auth.is_channel_auth(answer["auth"], [SECRET], SOCKET, "presence-a", answer["channel_data"])


def test_a_sign_in_carries_its_user() -> None:
    answer = auth.sign_in(KEY, SECRET, SOCKET, "u9")
    assert json.loads(answer["user_data"]) == {"id": "u9", "user_info": {}}
    assert auth.is_user_auth(answer["auth"], [SECRET], SOCKET, answer["user_data"])


def test_the_previous_secret_still_signs() -> None:
    answer = auth.authorize(KEY, "old", SOCKET, "private-a")
    assert auth.is_channel_auth(answer["auth"], ["new", "old"], SOCKET, "private-a")
    assert not auth.is_channel_auth(answer["auth"], ["new"], SOCKET, "private-a")


@pytest.mark.parametrize("given", [None, "", ":", KEY, f"{KEY}:", f"{KEY}:{PRIVATE[:-1]}", f"{KEY}:ü", f"{KEY}:{USER}"])
def test_anything_else_is_no_authorization(given: str | None) -> None:
    assert not auth.is_channel_auth(given, [SECRET], SOCKET, "private-foobar")


def test_a_signature_is_for_one_socket_one_channel_and_one_member() -> None:
    given = f"{KEY}:{PRIVATE}"
    assert auth.is_channel_auth(given, [SECRET], SOCKET, "private-foobar")
    assert not auth.is_channel_auth(given, [SECRET], "1234.1235", "private-foobar")
    assert not auth.is_channel_auth(given, [SECRET], SOCKET, "private-foobaz")
    assert not auth.is_channel_auth(given, [SECRET], SOCKET, "private-foobar", "{}")


def test_no_secrets_authorize_nothing() -> None:
    assert not auth.is_channel_auth(f"{KEY}:{PRIVATE}", [], SOCKET, "private-foobar")


@pytest.mark.parametrize("socket_id", ["", "1.2:private-other", "1.2::user::{}", "1", "1.2\n"])
def test_a_socket_id_that_would_sign_something_else_is_refused(socket_id: str) -> None:
    with pytest.raises(Invalid):
        auth.authorize(KEY, SECRET, socket_id, "private-a")
    with pytest.raises(Invalid):
        auth.sign_in(KEY, SECRET, socket_id, "u1")


@pytest.mark.parametrize("channel", ["news", "private a", "#server-to-user-u1", "private-" + "x" * 193])
def test_only_private_and_presence_channels_are_signed(channel: str) -> None:
    with pytest.raises(Invalid):
        auth.authorize(KEY, SECRET, SOCKET, channel)


@pytest.mark.parametrize("user_id", [None, "", "x" * 129])
def test_a_presence_channel_needs_a_user(user_id: str | None) -> None:
    with pytest.raises(Invalid):
        auth.authorize(KEY, SECRET, SOCKET, "presence-a", user_id=user_id)
