"""Who sends, for every combination of what may be there at the three levels (C4)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from tocsin.connections.levels import Candidate, NoRoute, Picked, line_of, pick
from tocsin.kit.ids import PLATFORM_ID

ANN, BOB = UUID(int=1), UUID(int=2)
CHAT = "4711"
LIVES = ("pending", "active", "suspended", "rate_limited", "error")
REACHES = (None, "reachable", "blocked", "opted_out")

NEW: dict[str, Any] = {
    "project_id": UUID(int=9),
    "provider": "pigeon",
    "channel": "post",
    "user_id": None,
    "status": "active",
    "use_as_fallback": True,
    "max_concurrent": None,
    "version": datetime(2026, 1, 1, tzinfo=UTC),
    "alone": False,
}


def at(owner: str, reach: str | None = None, **fields: Any) -> Candidate:
    number = {"user": 11, "project": 12, "platform": 13}[owner]
    known = {CHAT: reach} if reach else {}
    user = ANN if owner == "user" else None
    return Candidate(**{**NEW, "id": UUID(int=number), "owner": owner, "user_id": user, "reach": known, **fields})


def picked(*line: Candidate, known_only: bool = False, last_resort: bool = False) -> Picked | NoRoute:
    return pick("post", line, CHAT, known_only=known_only, last_resort=last_resort)


def combinations() -> Iterator[tuple[list[Candidate], bool, bool]]:
    """Each level absent or in any state, with everything that may be known of the address."""
    own = [
        None,
        *(at("user", reach, status=life, alone=a) for life, reach, a in product(LIVES, REACHES, (True, False))),
    ]
    project, platform = (
        [
            None,
            *(
                at(owner, reach, status=life, use_as_fallback=may)
                for life, reach, may in product(LIVES, REACHES, (True, False))
            ),
        ]
        for owner in ("project", "platform")
    )
    declined = at("platform", status="declined", id=PLATFORM_ID)
    for three in product(own, project, [*platform, declined]):
        line = line_of([each for each in three if each is not None], ANN)
        for known_only, last_resort in product((True, False), repeat=2):
            yield line, known_only, last_resort


def may_send(line: list[Candidate], index: int, *, known_only: bool) -> bool:
    """What the specification asks of the one that sends, said of one connection at a time."""
    one, nearer = line[index], line[:index]

    def speaks_up(place: int) -> bool:
        """Whether it is in use and may stand where it stands in the line."""
        others_before = any(each.status != "pending" for each in line[:place])
        return line[place].use_as_fallback or not others_before

    def reaches(each: Candidate) -> bool:
        return each.reach.get(CHAT) == "reachable" or not known_only

    unwanted = any(each.reach.get(CHAT) in ("blocked", "opted_out") for each in [*nearer, one])
    return one.status in ("active", "rate_limited") and reaches(one) and speaks_up(index) and not unwanted


def test_in_every_combination_the_nearest_that_may_sends_and_no_other() -> None:
    seen = 0
    for line, known_only, last_resort in combinations():
        seen += 1
        chosen = pick("post", line, CHAT, known_only=known_only, last_resort=last_resort)
        allowed = [each for place, each in enumerate(line) if may_send(line, place, known_only=known_only)]
        if allowed:
            assert isinstance(chosen, Picked) and chosen.candidate is allowed[0], (line, known_only)
        elif isinstance(chosen, Picked):
            assert chosen.candidate is None and last_resort and not known_only, (line, known_only)
            assert not any(each.alone or each.status == "declined" for each in line), line
            assert not any(each.reach.get(CHAT) in ("blocked", "opted_out") for each in line), line
    assert seen == 41 * 41 * 42 * 4


def test_the_last_resort_stands_in_wherever_nobody_refused_it() -> None:
    for life in ("pending", "suspended", "error"):
        chosen = picked(at("project", status=life), last_resort=True)
        assert isinstance(chosen, Picked) and chosen.candidate is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ([at("user")], "the person's own"),
        ([at("user", status="pending"), at("project", use_as_fallback=False)], "the project's"),
        ([at("user", status="suspended"), at("project")], "the project's; the person's own is suspended"),
        (
            [at("user", status="error"), at("project", use_as_fallback=False), at("platform")],
            "the platform's default; the person's own is in error",
        ),
    ],
)
def test_the_reason_tells_who_sends_and_who_was_passed_over(line: list[Candidate], reason: str) -> None:
    chosen = picked(*line)
    assert isinstance(chosen, Picked) and chosen.reason == reason


def test_a_person_who_left_the_first_is_not_reached_through_the_second() -> None:
    for state, words in (("blocked", "the person blocked the project's"), ("opted_out", "the person opted out of")):
        chosen = picked(at("project", state, status="error"), at("platform"), last_resort=True)
        assert isinstance(chosen, NoRoute) and chosen.refused and not chosen.waits
        assert chosen.reason.startswith(words)


def test_where_an_address_must_be_known_only_who_knows_it_sends() -> None:
    chosen = picked(at("user"), at("project", "reachable"), at("platform", "reachable"), known_only=True)
    assert isinstance(chosen, Picked) and chosen.candidate is not None
    assert (chosen.candidate.owner, chosen.reason) == (
        "project",
        "the project's; the person's own is not known to reach this address",
    )
    nobody = picked(at("user"), at("project"), known_only=True, last_resort=True)
    assert nobody == NoRoute("no connection for post is known to reach this address", waits=False, refused=True)


def test_what_is_known_of_another_address_counts_for_nothing() -> None:
    chosen = pick("post", [at("project", "blocked")], "4712", known_only=False, last_resort=False)
    assert isinstance(chosen, Picked)


def test_one_persons_own_never_sends_to_another() -> None:
    assert line_of([at("user"), at("project")], BOB) == [at("project")]
    assert line_of([at("user")], None) == []
