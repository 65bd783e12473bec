import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec import structs

import tocsin
from tocsin.rules.evaluator import MAX_STRIKES, Evaluator, EvaluatorUnavailable
from tocsin.rules.jobs import Event, Job, Outcome, RuleOutcome, RuleSource

MATCHES = RuleSource("matches", "payload.amount > 1000", {"title": "Order {{ payload.amount }}"})
IS_FALSE = RuleSource("false", "payload.amount < 1000")
HANGS = RuleSource("hangs", None, {"title": "{% if (1..9000000000) contains 'x' %}{% endif %}"})
SLOW = RuleSource("slow", "payload.list.all(x, payload.text.matches('^(.*x){40}$') || x > -1)")
BOMB = RuleSource("bomb", "payload.list.all(x, (" + "+".join(["payload.text"] * 25) + ").size() > 0)")
LARGE = {"amount": 5000, "text": "xy" * 30_000, "list": list(range(3_000))}


def job(number: int, *rules: RuleSource, payload: dict[str, Any] | bytes | None = None, **user: Any) -> Job:
    body = payload if isinstance(payload, bytes) else json.dumps(payload or {"amount": 5000 + number}).encode()
    event = Event(f"e{number}", "order.created", "shop", "2026-05-04T10:00:00Z", body)
    return Job(event, user or None, {"name": "Shop"}, list(rules))


def only(outcomes: list[Outcome]) -> RuleOutcome:
    assert len(outcomes) == len(outcomes[0].rules) == 1
    return outcomes[0].rules[0]


def answered(outcome: RuleOutcome) -> bool:
    return outcome.matched and not outcome.error and outcome.rendered["title"].startswith("Order ")


@pytest.fixture(scope="session")
async def evaluator() -> AsyncIterator[Evaluator]:
    evaluator = Evaluator()
    yield evaluator
    await evaluator.close()


async def test_each_rule_of_each_event_gets_an_outcome_in_order(evaluator: Evaluator) -> None:
    jobs = [job(number, MATCHES, IS_FALSE) for number in range(300)]
    outcomes = await evaluator.evaluate(jobs)
    assert [outcome.event_id for outcome in outcomes] == [f"e{number}" for number in range(300)]
    for number, outcome in enumerate(outcomes):
        first, second = outcome.rules
        assert (first.rule_id, first.matched, first.reason) == ("matches", True, "condition is true")
        assert first.rendered == {"title": f"Order {5000 + number}"}
        assert (second.rule_id, second.matched, second.reason) == ("false", False, "condition is false")
        assert second.rendered == {}


async def test_nothing_asked_is_nothing_answered(evaluator: Evaluator) -> None:
    assert await evaluator.evaluate([]) == []
    assert await evaluator.evaluate([job(1)]) == [Outcome("e1", [])]


async def test_templates_see_event_payload_user_and_project(evaluator: Evaluator) -> None:
    text = "{{ event.type }} {{ event.payload.amount }} {{ user.name }} {{ project.name }}{{ payload.nope }}"
    rule = RuleSource("r", "user.name == 'Ada'", {"title": text + "\r\nBcc: x", "message": "a\nb"})
    outcome = only(await evaluator.evaluate([job(1, rule, name="Ada")]))
    assert outcome.rendered == {"title": "order.created 5001 Ada Shop Bcc: x", "message": "a\nb"}
    assert outcome.missing == ["payload.nope"]


async def test_templates_are_printed_as_their_reader_reads(evaluator: Evaluator) -> None:
    """Nobody in particular where nobody is named; jobs of the same event each in their own way."""
    rule = RuleSource("r", None, {"title": "{{ 1234.5 | number: reader }} {{ reader.timezone }}"})
    first = job(1, rule)
    others = [structs.replace(first, way=f"short|12h|1.234,5|{zone}") for zone in ("Asia/Tokyo", "Europe/Vienna")]
    outcomes = await evaluator.evaluate([others[0], first, others[1], job(2, rule)])
    printed = [outcome.rules[0].rendered["title"] for outcome in outcomes]
    assert printed == ["1.234,5 Asia/Tokyo", "1,234.5 UTC", "1.234,5 Europe/Vienna", "1,234.5 UTC"]
    assert [outcome.event_id for outcome in outcomes] == ["e1", "e1", "e1", "e2"]


@pytest.mark.parametrize(
    ("rule", "matched", "error", "reason"),
    [
        (RuleSource("r", "payload.nope > 1"), False, "", "payload.nope is missing"),
        (RuleSource("r", "1 / (payload.amount - 5001) > 1"), False, "condition_error", "division by zero"),
        (RuleSource("r", "nope > 1"), False, "condition_error", "There is no 'nope' here"),
        (
            RuleSource("r", None, {"title": "{{ 1 | divided_by: 0 }}"}),
            True,
            "render_error",
            "title: Divided_by",
        ),
        (RuleSource("r", None, {"title": "{{ x"}), True, "render_error", "title: '{{' is never closed"),
        (
            RuleSource("r", None, {"title": "x" * 1_001}),
            True,
            "render_error",
            "title: title has 1,001 characters",
        ),
    ],
)
async def test_what_goes_wrong_is_said(
    evaluator: Evaluator, rule: RuleSource, matched: bool, error: str, reason: str
) -> None:
    outcome = only(await evaluator.evaluate([job(1, rule)]))
    assert (outcome.matched, outcome.error, outcome.stopped) == (matched, error, False)
    assert reason.lower() in outcome.reason.lower()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"[1]", "the payload is not an object"),
        (b"{", "the payload is not JSON"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "the payload is nested too deeply"),
    ],
)
async def test_a_payload_that_is_no_object_matches_nothing(evaluator: Evaluator, payload: bytes, reason: str) -> None:
    outcome = only(await evaluator.evaluate([job(1, MATCHES, payload=payload)]))
    assert (outcome.matched, outcome.error, outcome.reason) == (False, "condition_error", reason)


async def test_numbers_as_postgresql_writes_them_are_read(evaluator: Evaluator) -> None:
    rule = RuleSource("r", "payload.a > 1e299 && payload.b < -1e29 && payload.c == 18446744073709551615u")
    payload = b'{"a": 1' + b"0" * 300 + b', "b": -1' + b"0" * 30 + b', "c": 18446744073709551615}'
    assert only(await evaluator.evaluate([job(1, rule, payload=payload)])).matched


@pytest.mark.parametrize(
    ("hostile", "matched", "error", "why"),
    [
        (HANGS, True, "render_error", "the templates were stopped after taking too long"),
        (SLOW, False, "condition_error", "the condition was stopped after taking too long"),
    ],
)
async def test_only_the_rule_that_hangs_is_stopped(
    evaluator: Evaluator, hostile: RuleSource, matched: bool, error: str, why: str
) -> None:
    jobs = [job(0, MATCHES), job(1, MATCHES, hostile, MATCHES, payload=LARGE), job(2, MATCHES)]
    before, during, after = await evaluator.evaluate(jobs)
    guilty = during.rules[1]
    assert (guilty.rule_id, guilty.matched, guilty.error, guilty.reason, guilty.stopped) == (
        *(hostile.rule_id, matched, error, why, True),
    )
    innocent = [*before.rules, during.rules[0], during.rules[2], *after.rules]
    assert all(map(answered, innocent))


async def test_a_rule_that_takes_all_memory_is_stopped_alone() -> None:
    evaluator = Evaluator(memory_bytes=160 << 20)
    try:
        outcomes = await evaluator.evaluate([job(0, MATCHES, BOMB, MATCHES, payload=LARGE), job(1, MATCHES)])
        first, guilty, last = outcomes[0].rules
        assert (guilty.rule_id, guilty.matched, guilty.error, guilty.stopped) == (
            "bomb",
            False,
            "condition_error",
            True,
        )
        assert all(map(answered, [first, last, *outcomes[1].rules]))
    finally:
        await evaluator.close()


async def test_a_template_that_takes_all_memory_is_stopped_alone() -> None:
    listed = RuleSource("listed", None, {"message": "{% for i in (1..900000000) reversed %}{% endfor %}"})
    evaluator = Evaluator(memory_bytes=100 << 20)
    try:
        outcomes = await evaluator.evaluate([job(0, MATCHES, listed, MATCHES), job(1, MATCHES)])
        first, guilty, last = outcomes[0].rules
        assert (guilty.matched, guilty.error, guilty.stopped) == (True, "render_error", True)
        assert all(map(answered, [first, last, *outcomes[1].rules]))
    finally:
        await evaluator.close()


async def test_a_hostile_rule_on_many_events_is_given_up_after_its_strikes(evaluator: Evaluator) -> None:
    outcomes = await evaluator.evaluate([job(number, HANGS, MATCHES) for number in range(MAX_STRIKES + 15)])
    hung = [outcome.rules[0] for outcome in outcomes]
    assert all(outcome.stopped and outcome.rule_id == "hangs" for outcome in hung)
    assert sum("not tried" in outcome.reason for outcome in hung) == 15
    assert all(answered(outcome.rules[1]) for outcome in outcomes)


async def test_many_slow_rules_are_all_answered_though_the_batch_runs_out_of_time(
    evaluator: Evaluator,
) -> None:
    slow = RuleSource("slowish", "payload.list.all(x, payload.text.contains('q') || x > -1)", MATCHES.templates)
    payload = {"amount": 5000, "text": "xy" * 30_000, "list": list(range(2_500))}
    outcomes = await evaluator.evaluate([job(number, slow, payload=payload) for number in range(40)])
    assert all(answered(outcome.rules[0]) for outcome in outcomes)


async def test_what_every_rule_needs_is_in_memory_before_its_time_runs() -> None:
    """A hypervisor may take long over each page that is touched for the first time."""
    evaluator = Evaluator()
    await evaluator.start()
    assert evaluator.pid
    before = page_faults(evaluator.pid)
    assert answered(only(await evaluator.evaluate([job(1, MATCHES)])))
    assert page_faults(evaluator.pid) - before < 100, "without the child's warm-up it was 184"
    await evaluator.close()


def page_faults(pid: int) -> int:
    """Of the process's own, those that needed no disk: proc(5), ``minflt``."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


async def test_a_killed_child_is_replaced_and_loses_nothing(evaluator: Evaluator) -> None:
    await evaluator.start()
    first = evaluator.pid
    assert first
    work = asyncio.create_task(evaluator.evaluate([job(number, MATCHES) for number in range(3_000)]))
    await asyncio.sleep(0.05)
    os.kill(first, signal.SIGKILL)
    outcomes = await work
    assert len(outcomes) == 3_000
    assert all(answered(outcome.rules[0]) for outcome in outcomes)
    await evaluator.evaluate([job(1, MATCHES)])
    assert evaluator.pid != first
    assert not psutil.pid_exists(first)


async def test_a_child_killed_while_idle_is_replaced(evaluator: Evaluator) -> None:
    await evaluator.start()
    assert evaluator.pid
    os.kill(evaluator.pid, signal.SIGKILL)
    assert answered(only(await evaluator.evaluate([job(1, MATCHES)])))


async def test_concurrent_callers_get_their_own_answers(evaluator: Evaluator) -> None:
    async def ask(caller: int) -> None:
        for turn in range(10):
            number = caller * 100 + turn
            rules = [MATCHES, HANGS] if number == 303 else [MATCHES]
            outcomes = await evaluator.evaluate([job(number, *rules)])
            assert outcomes[0].event_id == f"e{number}"
            assert outcomes[0].rules[0].rendered == {"title": f"Order {5000 + number}"}

    await asyncio.gather(*map(ask, range(20)))


async def test_those_who_ask_meanwhile_are_asked_for_together(evaluator: Evaluator) -> None:
    """One after the other, each costs the child a message: it is asleep in between."""
    await evaluator.evaluate([job(0, MATCHES)])
    assert evaluator.pid

    async def woken(callers: int) -> int:
        before = sleeps(evaluator.pid or 0)
        answers = await asyncio.gather(*(evaluator.evaluate([job(number, MATCHES)]) for number in range(callers)))
        assert all(answered(only(answer)) for answer in answers)
        return sleeps(evaluator.pid or 0) - before

    assert await woken(40) <= 4, "the first asks alone, the others while it is answered"


async def test_whoever_asks_little_waits_for_no_long_list(evaluator: Evaluator) -> None:
    """A long list is asked in pieces, and others have their turn between two of them (P10)."""
    long = asyncio.create_task(evaluator.evaluate([job(number, MATCHES) for number in range(4_000)]))
    await asyncio.sleep(0)
    assert answered(only(await evaluator.evaluate([job(1, MATCHES)])))
    assert not long.done()
    assert all(answered(outcome.rules[0]) for outcome in await long)


async def test_a_long_list_is_never_allowed_long_at_once(evaluator: Evaluator, budgets: list[float]) -> None:
    rules = [structs.replace(MATCHES, rule_id=f"r{number}") for number in range(200)]
    outcomes = await evaluator.evaluate([job(number, *rules) for number in range(20)])
    assert all(each.matched for outcome in outcomes for each in outcome.rules)
    assert max(budgets) < 2, "all at once it was 17 s"


def sleeps(pid: int) -> int:
    """How often a process has given up the processor to wait."""
    return int(psutil.Process(pid).num_ctx_switches().voluntary)


async def test_a_cancelled_caller_leaves_the_others_their_answers(evaluator: Evaluator) -> None:
    await evaluator.start()
    cancelled = [
        asyncio.create_task(evaluator.evaluate([job(number, MATCHES, HANGS) for number in range(50)])) for _ in range(3)
    ]
    waiting = asyncio.create_task(evaluator.evaluate([job(7, MATCHES)]))
    await asyncio.sleep(0.02)
    for task in cancelled:
        task.cancel()
    ends = await asyncio.gather(*cancelled, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
    assert (await waiting)[0].rules[0].rendered == {"title": "Order 5007"}
    assert (await evaluator.evaluate([job(8, MATCHES)]))[0].rules[0].rendered == {"title": "Order 5008"}


async def test_closing_ends_the_child_and_those_who_wait() -> None:
    evaluator = Evaluator()
    await evaluator.start()
    pid = evaluator.pid
    assert pid
    working = asyncio.create_task(evaluator.evaluate([job(1, HANGS)]))
    await asyncio.sleep(0.02)
    await evaluator.close()
    with pytest.raises(EvaluatorUnavailable):
        await working
    with pytest.raises(EvaluatorUnavailable):
        await evaluator.evaluate([job(1, MATCHES)])
    assert not psutil.pid_exists(pid)
    assert all(child.status() != psutil.STATUS_ZOMBIE for child in psutil.Process().children())
    await evaluator.close()


async def test_the_child_knows_no_secrets_and_holds_only_its_pipes(evaluator: Evaluator) -> None:
    os.environ["TOCSIN_MASTER_KEY"] = "a secret"
    fresh = Evaluator()
    try:
        await fresh.start()
        process = psutil.Process(fresh.pid)
        assert set(process.environ()) <= {"PYTHONPATH", "PYTHONUTF8", "TZ", "LC_CTYPE"}
        targets = {os.readlink(entry) for entry in Path(f"/proc/{fresh.pid}/fd").iterdir()}
        assert all(target == os.devnull or target.startswith("pipe:") for target in targets)
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    finally:
        del os.environ["TOCSIN_MASTER_KEY"]
        await fresh.close()


@pytest.mark.parametrize("executable", ["/bin/false", "/nowhere/python"])
async def test_a_child_that_cannot_start_is_reported(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    monkeypatch.setattr(sys, "executable", executable)
    evaluator = Evaluator()
    with pytest.raises(EvaluatorUnavailable):
        await evaluator.evaluate([job(1, MATCHES)])
    await evaluator.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a busy child follows its parent only on Linux")
def test_a_busy_child_dies_with_its_parent() -> None:
    program = textwrap.dedent("""
        import asyncio
        from tocsin.rules.evaluator import Evaluator
        from tests.rules.test_evaluator import HANGS, job

        async def main():
            evaluator = Evaluator()
            await evaluator.start()
            print(evaluator.pid, flush=True)
            await evaluator.evaluate([job(1, HANGS)])

        asyncio.run(main())
    """)
    root = Path(__file__).parents[2]
    path = os.pathsep.join([str(root), str(Path(tocsin.__file__).parents[1])])
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        cwd=root,
    )
    assert parent.stdout
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait(10)
    parent.stdout.close()
    assert not psutil.wait_procs([child], timeout=10)[1]
