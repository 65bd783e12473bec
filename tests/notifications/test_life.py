"""The life of a notification, whatever happens in whatever order (R2-R4, D1, D2).

Never both acknowledged and insisting, never more repeats or steps than the rule says, never an outcome missing, no
delivery that goes back or waits for nothing, no gap in a feed. `make life EXAMPLES=2000` looks for longer.
"""

import asyncio
import os
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.notifications.life import PEOPLE, Made, World, living
from tests.notifications.silence import hours
from tests.running import Site

EXAMPLES = int(os.environ.get("TOCSIN_LIFE_EXAMPLES", "16"))
STEPS = 25
MOST_MADE = 3

MOVES: dict[str, set[str]] = {
    "queued": {"sent", "delivered", "failed", "suppressed", "dropped", "captured", "cancelled", "held", "gathered"},
    "held": {"queued", "sent", "delivered", "failed", "suppressed", "dropped", "cancelled"},
    "gathered": {"queued", "sent", "delivered", "failed", "suppressed", "dropped", "cancelled"},
    "sent": {"delivered", "read", "failed"},
    "delivered": {"read"},
    "failed": set(),
    "suppressed": set(),
    "dropped": set(),
    "read": set(),
    "captured": set(),
    "cancelled": set(),
}
"""Where a delivery may be found after it was in a state; a retry by hand begins anew."""

WAITS = ("queued", "leased", "held", "gathered")

people = st.sampled_from(PEOPLE)
WISHES = ("quiet", "quiet", "no telegram", "nothing")

ways = st.sampled_from(["api", "panel", "link", "telegram"])
number = st.integers(0, MOST_MADE - 1)


@pytest.fixture(scope="module")
def world(database: str, home: Any) -> Iterator[World]:
    with living(Site(database, home)) as world:
        yield world


makes = precondition(lambda self: len(self.made) < MOST_MADE and not self.suspended)


class Life(RuleBasedStateMachine):
    """What is added to a notification's life gets a rule here, and its states stand in ``MOVES``."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Made] = []
        self.states: dict[UUID, str] = {}
        self.retried: set[UUID] = set()
        self.insisting: dict[UUID, tuple[int, int]] = {}
        self.rounds_when_acked: dict[UUID, int] = {}
        self.first: dict[UUID, tuple[Any, ...]] = {}
        self.suspended = False
        self.handed = False
        self.world.run(self.world.begin())

    # What is made.

    def _make(self, who: list[str], **fields: Any) -> None:
        self.made += self.world.run(self.world.make(who, handed=self.handed, **fields))

    @makes
    @rule(person=people, ack=st.booleans())
    def make_plain(self, person: str, ack: bool) -> None:
        self.world.run(self.world.set_status(person, "active"))
        self._make([person], requireAck=ack)

    @makes
    @rule(person=people, times=st.integers(1, 3))
    def make_repeating(self, person: str, times: int) -> None:
        self.world.run(self.world.set_status(person, "active"))
        self._make([person], requireAck=True, repeat={"everySeconds": 600, "maxTimes": times})

    @makes
    @rule(person=people, further=people, loops=st.integers(1, 2), repeats=st.booleans())
    def make_escalating(self, person: str, further: str, loops: int, repeats: bool) -> None:
        self.world.run(self.world.set_status(person, "active"))
        steps = [
            {"afterSeconds": 600, "users": [self.world.people[further]]},
            {"afterSeconds": 600, "roles": ["owner"]},
        ]
        repeat = {"repeat": {"everySeconds": 600, "maxTimes": 2}} if repeats else {}
        self._make([person], requireAck=True, escalation=steps, escalationLoops=loops, **repeat)

    @makes
    @rule(person=people, times=st.integers(0, 2))
    def make_in_quiet_hours(self, person: str, times: int) -> None:
        self.world.run(self.world.set_status(person, "active"))
        self.world.run(self.world.wish(person, quietHours=hours(-1, 1)))
        repeat = {"requireAck": True, "repeat": {"everySeconds": 600, "maxTimes": times}} if times else {}
        self._make([person], **repeat)

    @makes
    @rule(person=people, ack=st.booleans())
    def make_in_turns(self, person: str, ack: bool) -> None:
        self.world.run(self.world.set_status(person, "active"))
        self._make([person], requireAck=ack, channelOrder={"afterSeconds": 600})

    @makes
    @rule(person=people, events=st.integers(1, 3), leading=st.booleans())
    def make_gathered(self, person: str, events: int, leading: bool) -> None:
        self.world.run(self.world.set_status(person, "active"))
        self._make([person], events=events, digest={"windowSeconds": 600, "leading": leading})

    @makes
    @rule(person=people, events=st.integers(2, 3))
    def make_throttled(self, person: str, events: int) -> None:
        self.world.run(self.world.set_status(person, "active"))
        before = len(self.made)
        self._make([person], events=events, throttle={"max": 1, "perSeconds": 3600})
        for made in self.made[before + 1 :]:
            assert self.world.run(self.world.reason(made)).startswith(("throttle: ", "preferences: "))

    # What the world does.

    @rule(handed=st.booleans())
    def the_worker_has_room_to_send(self, handed: bool) -> None:
        self.handed = handed

    @rule(status=st.sampled_from([200, 200, 500, 400]))
    def the_provider_answers(self, status: int) -> None:
        self.world.far.status = status
        self.world.run(self.world.send())

    @precondition(lambda self: self.made)
    @rule(nth=number, what=st.sampled_from(["repeats_at", "escalates_at"]))
    def time_passes(self, nth: int, what: str) -> None:
        self.world.run(self.world.pass_time(self._nth(nth), what))
        self.world.run(self.world.insist())

    @precondition(lambda self: self.made)
    @rule()
    def time_passes_to_retries(self) -> None:
        self.world.run(self.world.pass_time_to_retries())
        self.world.run(self.world.tick())
        self.world.run(self.world.send())

    @precondition(lambda self: any(made.in_turns for made in self.made))
    @rule()
    def time_passes_to_the_next_turn(self) -> None:
        self.world.run(self.world.pass_time_of("channel_turns"))
        self.world.run(self.world.take_turns())

    @precondition(lambda self: "gathered" in self.states.values())
    @rule()
    def the_window_ends(self) -> None:
        self.world.run(self.world.pass_time_of("digests"))
        self.made += self.world.run(self.world.tell_digests(self.made))

    @precondition(lambda self: "held" in self.states.values())
    @rule()
    def what_is_held_is_due(self) -> None:
        self.world.run(self.world.pass_time_of_what_is_held())
        self.world.run(self.world.tick())

    @precondition(lambda self: "held" in self.states.values())
    @rule(person=people)
    def quiet_hours_end(self, person: str) -> None:
        self.world.run(self.world.wish(person))
        self.what_is_held_is_due()

    @precondition(lambda self: self.made)
    @rule()
    def a_worker_dies_while_it_sends(self) -> None:
        self.world.run(self.world.die_while_sending())
        self.world.run(self.world.tick())

    # What people do.

    @precondition(lambda self: self.made)
    @rule(nth=number, person=people, via=ways)
    def acknowledge(self, nth: int, person: str, via: str) -> None:
        self.world.run(self.world.acknowledge(self._nth(nth), person, via))

    @precondition(lambda self: self.made)
    @rule(nth=number, person=people, via=ways, what=st.sampled_from(["repeats_at", "escalates_at"]))
    def acknowledge_while_it_insists(self, nth: int, person: str, via: str, what: str) -> None:
        made, world = self._nth(nth), self.world

        async def both() -> None:
            await world.pass_time(made, what)
            await asyncio.gather(world.insist(), world.acknowledge(made, person, via), world.insist())

        world.run(both())

    @precondition(lambda self: self.made)
    @rule(nth=number, person=people, via=ways)
    def acknowledge_while_it_is_sent(self, nth: int, person: str, via: str) -> None:
        world = self.world

        async def both() -> None:
            await asyncio.gather(world.send(), world.acknowledge(self._nth(nth), person, via))

        world.run(both())

    @rule(person=people, wish=st.sampled_from(WISHES))
    def wish(self, person: str, wish: str) -> None:
        wishes = {"quiet": {"quietHours": hours(-1, 1)}, "no telegram": {"channels": {"telegram": False}}}
        self.world.run(self.world.wish(person, **wishes.get(wish, {})))

    @precondition(lambda self: self.made)
    @rule(nth=st.integers(0, 9))
    def retry_by_hand(self, nth: int) -> None:
        given_up = sorted(id_ for id_, state in self.states.items() if state in ("failed", "suppressed", "dropped"))
        if given_up:
            chosen = given_up[nth % len(given_up)]
            if self.world.run(self.world.retry(chosen)) == 200:
                self.retried.add(chosen)

    @rule(suspended=st.booleans())
    def suspend_or_activate(self, suspended: bool) -> None:
        self.suspended = suspended
        self.world.run(self.world.suspend(suspended=suspended))

    @rule(person=people, status=st.sampled_from(["disabled", "active"]))
    def disable_or_enable(self, person: str, status: str) -> None:
        self.world.run(self.world.set_status(person, status))

    @precondition(lambda self: self.made)
    @rule(nth=number)
    def delete_the_rule(self, nth: int) -> None:
        self.world.run(self.world.delete_rule(self._nth(nth)))

    def _nth(self, nth: int) -> Made:
        return self.made[nth % len(self.made)]

    # What holds.

    @invariant()
    def everything_holds(self) -> None:
        self.world.run(self._look())

    async def _look(self) -> None:
        for made in self.made:
            await self._look_at(made)
        self.retried.clear()
        await self._look_at_feeds()

    async def _look_at(self, made: Made) -> None:
        sql = self.world.sql
        notification = await sql.fetchrow(
            "SELECT acked_at, acked_by, acked_via FROM tocsin.notifications WHERE id = $1", made.id
        )
        deliveries = await sql.fetch(
            "SELECT id, channel, user_id, state, round, finished_at, due_at < now() + interval '1 day' AS is_due_soon,"
            " EXISTS (SELECT FROM tocsin.digest_items i JOIN tocsin.digests g ON g.id = i.digest_id"
            "   WHERE i.notification_id = $1 AND g.user_id = d.user_id) AS in_window"
            " FROM tocsin.deliveries d WHERE notification_id = $1",
            made.id,
        )
        insistence = await sql.fetchrow(
            "SELECT times, taken FROM tocsin.insistences WHERE notification_id = $1", made.id
        )
        acked = notification["acked_at"] is not None
        self._first_one_stays(made, tuple(notification))
        self._insists_until_acknowledged(made, insistence, acked=acked)
        self._comes_no_more_after_that(made, deliveries, acked=acked)
        for each in deliveries:
            self._moves_forward(each)
            self._waits_for_something(each)
        people = await sql.fetch(
            "SELECT r.user_id, r.turns_ended IS NULL AND t.user_id IS NULL AS told_by_all"
            " FROM tocsin.notification_recipients r LEFT JOIN tocsin.channel_turns t USING (notification_id, user_id)"
            " WHERE notification_id = $1",
            made.id,
        )
        self._lacks_no_outcome(made, people, deliveries)

    def _first_one_stays(self, made: Made, acked: tuple[Any, ...]) -> None:
        if acked[0] is not None:
            assert self.first.setdefault(made.id, acked) == acked, "another acknowledgement took its place"

    def _insists_until_acknowledged(self, made: Made, row: Any, *, acked: bool) -> None:
        planned = (made.most_repeats, made.most_steps) if made.requires_ack else (0, 0)
        assert not (acked and row), "acknowledged, and it insists"
        if row:
            assert row["times"] <= planned[0], "more repeats than the rule says"
            assert row["taken"] <= planned[1], "more steps than the rule says"
            self.insisting[made.id] = row["times"], row["taken"]
        elif not acked and sum(planned):
            times, taken = self.insisting[made.id]
            left = planned[0] - times, planned[1] - taken
            assert max(left) <= 1, f"it ended with {left} left"

    def _comes_no_more_after_that(self, made: Made, deliveries: list[Any], *, acked: bool) -> None:
        again = [each for each in deliveries if each["round"]]
        rounds = {each["round"] for each in again}
        most = made.most_repeats + made.most_steps + made.in_turns
        assert max(rounds, default=0) <= most, "more rounds than the rule says"
        if acked:
            assert not [each for each in again if each["state"] in WAITS], "acknowledged, and a repeat waits"
            assert self.rounds_when_acked.setdefault(made.id, len(again)) == len(again), "repeated after that"

    def _moves_forward(self, delivery: Any) -> None:
        id_, state = delivery["id"], "queued" if delivery["state"] == "leased" else delivery["state"]
        before = self.states.get(id_, state)
        assert state == before or state in MOVES[before] or id_ in self.retried, f"{before} became {state}"
        if state != "gathered":  # that is its outcome, too
            assert (delivery["finished_at"] is None) == (state in WAITS), f"{state}, {delivery['finished_at']}"
        self.states[id_] = state

    def _waits_for_something(self, delivery: Any) -> None:
        if delivery["state"] == "gathered" and delivery["finished_at"] is None:
            assert delivery["in_window"], "it is in no window, and was told in no digest"
        if delivery["state"] == "held":
            assert delivery["is_due_soon"], "it is held for good"

    def _lacks_no_outcome(self, made: Made, recipients: list[Any], deliveries: list[Any]) -> None:
        """With turns, each has been told by all channels, has a turn to come, or there is a reason for none."""
        reached = {(each["channel"], each["user_id"]) for each in deliveries}
        wanted = {("realtime", each["user_id"]) for each in recipients}
        wanted |= {("telegram", each["user_id"]) for each in recipients if not made.in_turns or each["told_by_all"]}
        if not made.is_digest:
            wanted.add(("webhook", None))
        assert wanted <= reached, f"without an outcome: {wanted - reached}"

    async def _look_at_feeds(self) -> None:
        gaps = await self.world.sql.fetch(
            "SELECT f.user_id FROM tocsin.feeds f"
            " LEFT JOIN tocsin.notification_recipients r USING (project_id, user_id)"
            " WHERE f.project_id = $1 GROUP BY f.user_id, f.seq"
            " HAVING f.seq <> count(r.feed_seq) OR f.seq <> count(DISTINCT r.feed_seq) OR f.seq <> max(r.feed_seq)",
            self.world.project.id,
        )
        assert not gaps, "a feed has a gap"


def test_whatever_happens_in_whatever_order(world: World) -> None:
    Life.world = world
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
