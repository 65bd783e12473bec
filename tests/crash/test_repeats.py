"""Which fault explains a call that came again, and which does not (D1)."""

import random

from tests.crash.nemesis import Fault
from tests.crash.repeats import NOTHING, explained
from tests.crash.sink import Hit, Sink

LEASE = 4.0


def hit(came: float, answered_at: float, status: int = 204) -> Hit:
    return Hit("msg_1", "order-1", "digest", True, came, answered_at, status)


def sink_of(*calls: Hit) -> Sink:
    sink = Sink(random.Random(1))
    sink.hits["msg_1"] += calls
    return sink


def killed(at: float, kind: str = "kill worker") -> Fault:
    return Fault(kind, True, 1.0, at, at + 1)


def test_a_call_under_way_when_its_sender_died_could_not_be_known() -> None:
    found = explained(sink_of(hit(10.0, 10.2), hit(15.0, 15.1)), [killed(10.1)], LEASE)
    assert (found.unknowable, found.known.total()) == ({"kill worker": 1}, 0)


def test_a_call_that_was_answered_before_could_have_been_recorded() -> None:
    found = explained(sink_of(hit(10.0, 10.2), hit(15.0, 15.1)), [killed(10.5)], LEASE)
    assert (found.unknowable.total(), found.known) == (0, {"kill worker": 1})


def test_a_repeat_far_from_any_fault_is_explained_by_none() -> None:
    far = [killed(60.0), killed(10.1, "the far end hangs")]
    assert explained(sink_of(hit(10.0, 10.2), hit(15.0, 15.1)), far, LEASE).known == {NOTHING: 1}


def test_a_call_that_was_refused_has_to_come_again() -> None:
    assert explained(sink_of(hit(10.0, 10.2, 503), hit(15.0, 15.1)), [], LEASE).total == 0
