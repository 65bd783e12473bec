"""Names, versions and frames of the Pusher protocol (W1)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.realtime import protocol
from tocsin.realtime.protocol import Member, SignIn, Subscribe


@pytest.mark.parametrize("name", ["news", "private-user-0192f0a0", "a_b=c@d,e.f;g-H9", "x" * 200])
def test_a_channel_name_may_hold_what_pusher_allows(name: str) -> None:
    assert protocol.is_channel_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 201, "with space", "#server-to-user-u1", "news\n", "näh", "a/b", "a:b", "a\x00"]
)
def test_other_channel_names_are_refused(name: str) -> None:
    assert not protocol.is_channel_name(name)


@pytest.mark.parametrize("text", ["123.456", "1.1", "5354390862.1878341473"])
def test_socket_ids_are_two_numbers(text: str) -> None:
    assert protocol.is_socket_id(text)


@pytest.mark.parametrize("text", ["", "1", "1.", ".1", "1.2.3", "1.2\n", "a.b", "1.2:private-other", "١.٢"])
def test_nothing_else_is_a_socket_id(text: str) -> None:
    assert not protocol.is_socket_id(text)


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (None, 4008),
        ("", 4008),
        ("abc", 4006),
        ("7.0", 4006),
        ("-7", 4006),
        ("²", 4006),
        ("3", 4007),
        ("99", 4007),
    ],
)
def test_a_wrong_protocol_version_has_its_own_code(version: str | None, code: int) -> None:
    refusal = protocol.version_refusal(version)
    assert refusal and refusal.code == code


@pytest.mark.parametrize("version", ["5", "6", "7"])
def test_protocols_5_to_7_are_served(version: str) -> None:
    assert protocol.version_refusal(version) is None


def test_every_reason_fits_a_close_frame() -> None:
    refusals = [each for each in vars(protocol).values() if isinstance(each, protocol.Refusal)]
    assert len(refusals) == 13
    assert all(len(each.reason.encode()) <= 123 for each in refusals)


def test_the_greeting_is_encoded_twice() -> None:
    greeting = json.loads(protocol.connection_established("1.2", 120))
    assert greeting["event"] == "pusher:connection_established"
    assert json.loads(greeting["data"]) == {"socket_id": "1.2", "activity_timeout": 120}


@pytest.mark.parametrize("data", ['{"a": 1}', "plain", "", '"', "ü\u2028\x00", "\\"])
def test_published_data_arrives_as_the_string_it_was(data: str) -> None:
    frame = json.loads(protocol.event("e", "news", data))
    assert frame == {"event": "e", "channel": "news", "data": data}


@pytest.mark.parametrize("data", ['{"channel":"news"}', json.dumps('{"channel":"news"}')])
def test_a_clients_data_may_be_encoded_once_or_twice(data: str) -> None:
    frame = protocol.read_frame(f'{{"event":"pusher:subscribe","data":{data}}}'.encode())
    assert frame and protocol.read_data(frame, Subscribe) == Subscribe("news")


@pytest.mark.parametrize("text", ["", "[]", "null", '{"data":{}}', '{"event":1}', "{", '{"event":"a"} b'])
def test_what_is_no_message_is_none(text: str) -> None:
    assert protocol.read_frame(text.encode()) is None


@pytest.mark.parametrize("data", ["{}", "[]", '"["', '"plain"', "7", '{"channel":7}', '"{}"'])
def test_data_of_another_shape_is_none(data: str) -> None:
    frame = protocol.read_frame(f'{{"event":"pusher:subscribe","data":{data}}}'.encode())
    assert frame and protocol.read_data(frame, Subscribe) is None


@given(st.binary(max_size=200))
def test_no_bytes_from_a_client_raise(text: bytes) -> None:
    frame = protocol.read_frame(text)
    assert frame is None or isinstance(frame.event, str)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_signed_data_raises(value: object) -> None:
    text = json.dumps(value)
    member = protocol.read_member(text)
    assert member is None or member.user_id
    assert protocol.read_user_id(text) is None or "id" in text


def test_members_may_have_numeric_ids_and_nothing_to_say() -> None:
    member = protocol.read_member('{"user_id": 10}')
    assert member and member.user_id == "10" and bytes(member.user_info) == b"{}"


@pytest.mark.parametrize("data", ['{"user_id":""}', '{"user_id":null}', "{}", '{"user_id":true}', '{"user_id":1.5}'])
def test_a_member_without_a_usable_id_is_none(data: str) -> None:
    assert protocol.read_member(data) is None
    assert protocol.read_member(json.dumps({"user_id": "x" * 129})) is None


def test_a_presence_acknowledgement_lists_everybody() -> None:
    ann = protocol.read_member('{"user_id":"u1","user_info":{"name":"Ann"}}')
    assert ann
    frame = json.loads(protocol.subscription_succeeded("presence-r", {"u1": ann, "u2": Member("u2")}))
    presence = {"ids": ["u1", "u2"], "hash": {"u1": {"name": "Ann"}, "u2": {}}, "count": 2}
    assert json.loads(frame["data"]) == {"presence": presence}


def test_a_plain_acknowledgement_has_empty_data() -> None:
    frame = json.loads(protocol.subscription_succeeded("news"))
    assert frame["data"] == "{}"


def test_a_sign_in_is_echoed() -> None:
    frame = json.loads(protocol.signin_success(SignIn("k:s", '{"id": "u9"}')))
    assert frame == {"event": "pusher:signin_success", "data": {"auth": "k:s", "user_data": '{"id": "u9"}'}}
