"""Master keys that rotate: what is new is made with the first, what was made before is accepted (C3)."""

import os
from pathlib import Path

import pytest

from tocsin.auth.macs import SecretMacs
from tocsin.auth.tokens import Tokens
from tocsin.kit.crypto import MasterKey, Unreadable, new_master_key
from tocsin.kit.cursors import Cursors
from tocsin.kit.errors import BadRequest, Unauthorized
from tocsin.kit.ids import new_id
from tocsin.rotation.master_key import NothingToRotate, add_to_file, drop_from_file

OLD, NEW, OTHER = (os.urandom(32) for _ in range(3))
before, during, after = MasterKey(OLD), MasterKey(NEW, [OLD]), MasterKey(NEW)
PROJECT, USER, SESSION = (new_id() for _ in range(3))


def access_token(master: MasterKey) -> str:
    return Tokens(master).access(user_id=USER, project_id=PROJECT, session_id=SESSION, roles=[], type_="user")


def test_a_data_key_opens_during_a_rotation_and_not_after() -> None:
    wrapped = before.wrap(b"data key", b"place")
    assert during.unwrap(wrapped, b"place") == b"data key"
    with pytest.raises(Unreadable):
        after.unwrap(wrapped, b"place")


def test_a_wrapped_data_key_opens_in_its_place_alone() -> None:
    with pytest.raises(Unreadable):
        during.unwrap(before.wrap(b"data key", b"place"), b"another place")


def test_what_is_new_is_made_with_the_new_key() -> None:
    assert after.unwrap(during.wrap(b"data key", b"place"), b"place") == b"data key"
    assert Tokens(after).read_access(access_token(during)).user_id == USER


def test_people_stay_signed_in_during_a_rotation() -> None:
    assert Tokens(during).read_access(access_token(before)).session_id == SESSION
    nonce = os.urandom(16)
    token = Tokens(before).refresh(project_id=PROJECT, session_id=SESSION, generation=1, nonce=nonce)
    refresh = Tokens(during).read_refresh(token)
    assert Tokens(during).genuine(refresh, nonce)
    assert not Tokens(after).genuine(refresh, nonce)
    with pytest.raises(Unauthorized):
        Tokens(after).read_access(access_token(before))


def test_processes_that_have_not_heard_of_it_yet_are_understood_both_ways() -> None:
    """The first step of a rotation by environment: everybody accepts the new key before anybody uses it."""
    prepared = MasterKey(OLD, [NEW])
    assert Tokens(prepared).read_access(access_token(during)).user_id == USER
    assert Tokens(during).read_access(access_token(prepared)).user_id == USER


def test_pages_go_on_during_a_rotation() -> None:
    last = new_id()
    cursor = Cursors(before).seal(b"place", last)
    assert Cursors(during).open(b"place", cursor) == last
    with pytest.raises(BadRequest):
        Cursors(after).open(b"place", cursor)


def test_the_mac_of_a_secret_says_under_which_key_it_was_made() -> None:
    kept = SecretMacs(before).of("secret")
    assert SecretMacs(during).fit("secret", kept) == "right"
    assert SecretMacs(during).fit("other", kept) == "wrong"
    assert SecretMacs(after).fit("secret", kept) == "unknown"
    assert SecretMacs(during).outdated(kept) and not SecretMacs(before).outdated(kept)


def test_a_process_follows_its_file(tmp_path: Path) -> None:
    running, operator = MasterKey.load(None, tmp_path), MasterKey.load(None, tmp_path)
    old = running.id
    add_to_file(operator)
    assert operator.ids[1:] == (old,) and operator.id != old
    assert running.unwrap(operator.wrap(b"data key", b"place"), b"place") == b"data key"
    assert running.ids == operator.ids
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_process_makes_nothing_new_with_a_key_that_is_old(tmp_path: Path) -> None:
    """It would be lost with the old key, were that dropped before the process heard of the new one."""
    running, operator = MasterKey.load(None, tmp_path), MasterKey.load(None, tmp_path)
    add_to_file(operator)
    drop_from_file(operator)
    assert MasterKey.load(None, tmp_path).unwrap(running.wrap(b"data key", b"place"), b"place") == b"data key"
    assert running.ids == operator.ids and len(running.ids) == 1


def test_a_rotation_that_is_under_way_is_not_begun_again(tmp_path: Path) -> None:
    operator = MasterKey.load(None, tmp_path)
    add_to_file(operator)
    ids = operator.ids
    add_to_file(operator)
    assert operator.ids == ids


def test_a_key_from_the_environment_is_not_rotated_by_us(tmp_path: Path) -> None:
    with pytest.raises(NothingToRotate, match="TOCSIN_MASTER_KEY_PREVIOUS"):
        add_to_file(MasterKey.load(new_master_key(), tmp_path))


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="base64"):
        MasterKey.load(new_master_key(), tmp_path, "not a key")
    (tmp_path / "master.key").write_text("\n")
    with pytest.raises(ValueError, match="no key"):
        MasterKey.load(None, tmp_path)


def test_no_key_is_shown() -> None:
    shown = repr(during) + str(during)
    assert NEW.hex() not in shown and OLD.hex() not in shown


def test_two_keys_from_the_environment_are_accepted(tmp_path: Path) -> None:
    first, second = new_master_key(), new_master_key()
    assert len(MasterKey.load(first, tmp_path, second).ids) == 2
    assert not (tmp_path / "master.key").exists()
