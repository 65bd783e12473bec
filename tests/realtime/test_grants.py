"""Whose rights a signature passes on (P19): read back, told apart, and outlived."""

from dataclasses import replace

import pytest

from tocsin.kit.ids import new_id
from tocsin.realtime import auth
from tocsin.realtime.grants import LIFETIME_SECONDS, Grant, Grants, read_grant
from tocsin.realtime.protocol import SIGN_AGAIN, UNAUTHORIZED

KEY, SECRET, SOCKET = "pk_live_one", "the-secret", "123.456"


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def granted(at: float = 1_000.0) -> Grant:
    return Grant((new_id(), new_id()), at)


def visiting(until: float) -> Grant:
    return Grant((new_id(), new_id(), new_id()), 1_000.0, until)


def test_a_grant_is_read_as_it_was_written() -> None:
    grant = granted(1_763_719_200.123)
    assert read_grant(grant.text()) == grant


def test_a_grant_of_a_visit_is_read_as_it_was_written() -> None:
    grant = visiting(1_763_719_200.123)
    assert read_grant(grant.text()) == grant


def test_a_grant_of_a_key_is_read_as_it_was_written() -> None:
    grant = Grant((new_id(),), 1_763_719_200.123)
    assert read_grant(grant.text()) == grant


@pytest.mark.parametrize("text", ["", "x", "AAAA", "A" * 53, "A" * 55, "A" * 85, "A" * 87, "é" * 54, "%" * 54])
def test_anything_else_is_no_grant(text: str) -> None:
    assert read_grant(text) is None


def test_a_signature_with_a_grant_is_good_with_that_grant_alone() -> None:
    grant, other = granted(), granted()
    given = auth.authorize(KEY, SECRET, SOCKET, "private-a", grant=grant)["auth"]
    assert auth.is_channel_auth(given, [SECRET], SOCKET, "private-a")
    assert auth.grant_in(given) == grant
    for forged in (given.replace(grant.text(), other.text()), given.replace(f"{grant.text()}.", "")):
        assert not auth.is_channel_auth(forged, [SECRET], SOCKET, "private-a")


def test_a_grant_cannot_be_moved_into_what_is_signed_without_one() -> None:
    """The member of a presence channel is any text, so a grant must not read like the end of one."""
    grant = granted()
    signed = auth.authorize(KEY, SECRET, SOCKET, "presence-a", user_id="u1", grant=grant)
    plain = signed["auth"].replace(f"{grant.text()}.", "")
    for data in (signed["channel_data"], f"{signed['channel_data']}#{grant.text()}", f"{grant.text()}#"):
        assert not auth.is_channel_auth(plain, [SECRET], SOCKET, "presence-a", data)
    assert auth.is_channel_auth(signed["auth"], [SECRET], SOCKET, "presence-a", signed["channel_data"])


def test_what_an_app_signs_itself_has_no_grant() -> None:
    given = auth.authorize(KEY, SECRET, SOCKET, "private-a")["auth"]
    assert auth.is_channel_auth(given, [SECRET], SOCKET, "private-a") and auth.grant_in(given) is None


def test_a_grant_counts_for_two_minutes() -> None:
    clock, grant = Clock(), granted()
    grants = Grants(clock)
    for after, refusal in ((0, None), (LIFETIME_SECONDS, None), (LIFETIME_SECONDS + 1, SIGN_AGAIN)):
        clock.now = grant.at + after
        assert grants.refusal(grant) == refusal
    assert grants.refusal(granted(clock.now + LIFETIME_SECONDS + 1)) == SIGN_AGAIN


def test_a_grant_of_a_visit_counts_until_the_visit_is_over() -> None:
    clock = Clock()
    grants, grant, longer = Grants(clock), visiting(1_060.0), visiting(1_061.0)
    for each in (grant, longer):
        assert grants.refusal(each) is None
        grants.use(each)
    assert not grants.over()
    clock.now = 1_060.0
    assert (grants.refusal(grant), grants.refusal(longer)) == (SIGN_AGAIN, None)
    assert grants.over() == [grant.holders[2]]
    grants.take_back(grant.holders[2], SIGN_AGAIN)
    assert not grants.over()


@pytest.mark.parametrize("holder", [0, 1, 2], ids=["user", "session", "visit"])
def test_a_grant_from_before_its_holder_lost_it_counts_no_more(holder: int) -> None:
    clock, grant = Clock(), visiting(2_000.0)
    grants = Grants(clock)
    clock.now += 1
    grants.take_back(grant.holders[holder], UNAUTHORIZED)
    assert grants.refusal(grant) == UNAUTHORIZED
    assert grants.refusal(granted()) is None
    assert grants.refusal(replace(grant, at=clock.now + 0.001)) is None


def test_a_loss_is_remembered_for_as_long_as_a_grant_counts() -> None:
    clock = Clock()
    grants = Grants(clock)
    first, last = granted(), granted()
    grants.take_back(first.holders[1], UNAUTHORIZED)
    clock.now += LIFETIME_SECONDS
    grants.take_back(last.holders[1], UNAUTHORIZED)
    assert grants.refusal(first) == UNAUTHORIZED
    clock.now += 1
    grants.take_back(granted().holders[0], UNAUTHORIZED)
    assert grants.refusal(Grant(first.ids, clock.now)) is None
    assert grants.refusal(Grant(last.ids, clock.now - 2)) == UNAUTHORIZED
