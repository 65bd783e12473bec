"""A ledger that does not balance, and a floor that moves, make a measurement count for nothing."""

import pytest

from bench.arrivals import Arrival, fault
from bench.ledger import Ledger
from bench.results import Line, moved, unsteady
from bench.sender import Schedule, Sent
from bench.webhook import Driven

SENT = Sent(began=1_000.0, accepted=[0, 1, 2], answered=[1.0, 1.0, 1.0], faults=[])
SCHEDULE = Schedule("http://127.0.0.1/", [{}], per_second=2, count=3)


def arrivals(*numbers: int, at: float = 1_001.0) -> list[Arrival]:
    return [Arrival(str(number), at * 1000) for number in numbers]


def test_what_arrived_once_each_balances() -> None:
    assert fault(SENT, arrivals(0, 1, 2)) is None


def test_an_accepted_event_that_did_not_arrive_does_not() -> None:
    assert fault(SENT, arrivals(0, 2)) == "1 accepted events did not arrive"


def test_an_event_that_arrived_twice_does_not() -> None:
    assert fault(SENT, arrivals(0, 1, 1, 2)) == "1 events arrived more than once"


def test_an_event_whose_answer_was_lost_may_arrive() -> None:
    assert fault(SENT, arrivals(0, 1, 2, 3)) is None


@pytest.mark.parametrize(("there", "balances"), [(9, False), (10, True), (12, True), (13, False)])
def test_what_was_under_way_at_the_end_may_be_there_or_not(there: int, balances: bool) -> None:
    ledger = Ledger()
    ledger.add(acknowledged=10, under_way=2)
    assert (ledger.fault(there) is None) == balances


def test_a_line_with_a_fault_is_neither_passed_nor_failed() -> None:
    assert Line("x", 100, "/s", bar=1).verdict == "pass"
    assert Line("x", 100, "/s", bar=1, void="1 accepted events did not arrive").verdict == "void"


def test_a_floor_that_moved_by_more_than_15_percent_voids_what_stands_on_it() -> None:
    assert moved([100, 107, 114]) is None
    assert moved([100, 107, 117]) == "the floor moved by 16% between rounds"


def test_the_middle_ratio_of_all_rounds_counts_whatever_the_machine_did_between_them() -> None:
    line = Line("x", 100, "/s", floor=300, bar=0.35, ratios=[0.36, 0.37, 0.2])
    assert line.ratio == 0.36
    assert line.verdict == "pass"


def test_ratios_whose_middle_half_moved_by_more_than_15_percent_void_the_line() -> None:
    assert unsteady([0.2, 0.36, 0.37, 0.38, 0.9]) is None
    assert unsteady([0.3, 0.3, 0.36, 0.4, 0.4]) == "the ratio moved by 28% between rounds"


def test_a_rate_at_which_the_last_call_comes_late_is_not_sustained() -> None:
    # The last of three events at two a second is due one second after the first.
    assert Driven(SCHEDULE, SENT, arrivals(0, 1, 2, at=1_001.9), {}).sustained
    assert not Driven(SCHEDULE, SENT, arrivals(0, 1, 2, at=1_002.1), {}).sustained


def test_a_rate_at_which_events_were_refused_is_not_sustained() -> None:
    refused = Sent(1_000.0, [0, 1], [1.0, 1.0], ["503"])
    assert not Driven(SCHEDULE, refused, arrivals(0, 1), {}).sustained
