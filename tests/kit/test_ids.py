"""Ids are unique, increasing, and carry their time."""

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

import pytest

from tocsin.kit import ids
from tocsin.kit.ids import first_id_at, id_time, new_id, new_id_texts, parse_id


def test_an_id_is_a_uuid_of_version_7_made_now() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=2)
    id_ = UUID(str(new_id()))
    assert (id_.version, id_.variant) == (7, RFC_4122)
    assert before <= id_time(id_) <= datetime.now(UTC) + timedelta(seconds=1)


def test_ids_of_one_process_increase_and_never_repeat() -> None:
    made: list[list[UUID]] = [[] for _ in range(4)]

    def make(into: list[UUID]) -> None:
        into.extend(new_id() for _ in range(5_000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({str(id_) for into in made for id_ in into}) == 20_000
    assert all([str(id_) for id_ in into] == sorted(str(id_) for id_ in into) for into in made)


def test_they_increase_also_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    last = str(new_id())
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1_000_000_000)
    for _ in range(10_000):
        assert last < (last := str(new_id()))


def test_ids_made_in_bulk_are_written_as_such_and_lie_between_those_made_alone() -> None:
    before, bulk, after = str(new_id()), new_id_texts(10_000), str(new_id())
    assert [before, *bulk, after] == sorted({before, *bulk, after})
    assert all(parse_id(text) for text in bulk)
    assert {(UUID(text).version, UUID(text).variant) for text in bulk} == {(7, RFC_4122)}
    assert len({text[-16:] for text in bulk}) == 10_000


def test_random_parts_differ_and_a_forked_child_draws_its_own() -> None:
    new_id()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(new_id())[-12:].encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 100).decode() != str(new_id())[-12:]
    os.close(reader)
    os.close(writer)
    assert len({str(new_id())[-16:] for _ in range(2_000)}) == 2_000


def test_the_bound_of_a_moment_lies_below_its_ids() -> None:
    moment = datetime.now(UTC).replace(microsecond=0)
    assert id_time(first_id_at(moment)) == moment
    assert str(first_id_at(moment)) < str(new_id())


@pytest.mark.parametrize(
    "text", ["", "x" * 36, "01A1FCE2-3DC3-7000-925C-4F689570AA50", "01a1fce23dc37000925c4f689570aa50"]
)
def test_only_the_canonical_form_names_a_row(text: str) -> None:
    assert parse_id(text) is None


def test_the_canonical_form_is_read() -> None:
    id_ = new_id()
    assert str(parse_id(str(id_))) == str(id_)
