"""What counts as a difference between what a rule did and what it would do."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from tocsin.kit.ids import new_id
from tocsin.rules import lookup
from tocsin.rules.difference import Difference
from tocsin.rules.going_on import GoingOn
from tocsin.rules.jobs import RuleOutcome
from tocsin.rules.lookup import MAX_RECIPIENTS, People
from tocsin.rules.past import MOST_COMPARED, Heard, Past, Told
from tocsin.rules.replay import Portion, Wanted

AT = datetime(2026, 3, 1, tzinfo=UTC)
ROLE, EVENT, NOTIFICATION = new_id(), new_id(), new_id()
TEXTS = {"title": "T", "message": "M"}
RULE = lookup.Rule(
    id=new_id(),
    version=2,
    name="R",
    event_types=("*",),
    condition=None,
    title="T",
    message="M",
    action=None,
    channels=("realtime",),
    sound=None,
    priority="normal",
    require_ack=False,
    topic=None,
    target_payload_user=False,
    target_roles=(ROLE,),
    target_users=(),
)
WANTED = Wanted(RULE, GoingOn(), None, frozenset("*"), frozenset("*"), None, EVENT)


def differing(members: int, heard: Heard | None, told: Told | None = None) -> Difference:
    """What it adds up to for one event that the rule told of, with so many members in its role today."""
    told = told or Told(1, True, "always", notificationId=NOTIFICATION)
    event = Past(EVENT, "order.created", "", b"{}", AT, AT, AT, told)
    people = People({ROLE: [UUID(int=n) for n in range(members)]}, frozenset())
    portion = Portion(1, EVENT, [event], {}, {}, people, {}, {NOTIFICATION: heard} if heard else {}, {EVENT: None})
    difference = Difference()
    difference.add(WANTED, portion, {EVENT: RuleOutcome(str(RULE.id), True, "always", rendered=TEXTS)})
    return difference


def heard(total: int, title: str = "T") -> Heard:
    return Heard(title, "M", None, {}, frozenset(UUID(int=n) for n in range(min(total, MOST_COMPARED))), total)


@pytest.mark.parametrize("total", [1, MOST_COMPARED, MOST_COMPARED + 1, MAX_RECIPIENTS])
def test_the_same_people_are_no_difference(total: int) -> None:
    assert differing(total, heard(total)).examples == []


def test_more_people_than_a_notification_tells_are_no_difference() -> None:
    assert differing(MAX_RECIPIENTS + 5, heard(MAX_RECIPIENTS)).examples == []


def test_of_few_it_is_told_who_and_of_many_how_many() -> None:
    (few,) = differing(3, heard(2)).examples
    assert (few.changes, few.gained, few.lost) == (["recipients"], [UUID(int=2)], [])
    (many,) = differing(MOST_COMPARED + 3, heard(MOST_COMPARED + 2)).examples
    assert (many.changes, many.gained, many.now.recipients_total) == (["recipients"], [], MOST_COMPARED + 3)


def test_what_is_not_kept_any_more_is_not_compared() -> None:
    assert differing(3, None).examples == []


def test_other_words_are_a_difference() -> None:
    (example,) = differing(1, heard(1, "Another")).examples
    assert example.changes == ["texts"]


def test_what_went_wrong_then_and_matches_now_is_new() -> None:
    (example,) = differing(1, None, Told(1, True, "title: no", error="render_error")).examples
    assert (example.changes, example.then.reason) == (["newly_matching"], "title: no")
