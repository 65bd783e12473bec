"""The schedule of tries: 8 within 27 hours, whatever endpoints answer (D2)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.channels.contract import WEBHOOK_RETRIES, Rejected, SendFailure, Unavailable
from tocsin.channels.webhook import WebhookCredentials, WebhookSettings, new_secret
from tocsin.kit.http import Reply
from tocsin.webhooks.send import Outgoing, Result, judged

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
LONGEST = timedelta(hours=27).total_seconds() * 1.2
OK = Reply(200, {}, b"", False, 1)
SECRETS = WebhookCredentials.model_validate({"secret": new_secret()})

temporary = st.builds(
    lambda status, wait: Unavailable("No.", status=status, retry_after=wait),
    st.sampled_from([301, 400, 401, 404, 408, 413, 422, 429, 500, 503]),
    st.none() | st.floats(0, 60),
)
permanent = st.sampled_from([Rejected("Gone.", status=410), Rejected("Not allowed.")])
answers = st.lists(st.one_of(temporary, temporary, permanent, st.just(OK)), min_size=12, max_size=12)


def played(outcomes: list[Reply | SendFailure]) -> list[Result]:
    """The results of one message whose endpoint answers so."""
    results: list[Result] = []
    for number, outcome in enumerate(outcomes, start=1):
        settings = WebhookSettings.model_validate({"url": "https://example.com/"})
        outgoing = Outgoing(UUID(int=1), UUID(int=2), number, number, b"{}", settings, SECRETS)
        results.append(judged(outgoing, outcome, BEGAN, 1))
        if results[-1].state != "queued":
            break
    return results


@settings(max_examples=200, deadline=None)
@given(answers)
def test_every_message_comes_to_one_end_within_its_tries_and_time(outcomes: list[Reply | SendFailure]) -> None:
    results = played(outcomes)
    assert len(results) <= len(WEBHOOK_RETRIES)
    assert [each.state for each in results[:-1]] == ["queued"] * (len(results) - 1)
    last = results[-1]
    assert last.state == ("delivered" if last.outcome == "ok" else "failed")
    assert last.due_in is None
    assert sum(each.due_in or 0 for each in results[:-1]) <= LONGEST
    assert last.gone == (last.status == 410)


@settings(max_examples=100, deadline=None)
@given(st.lists(temporary, min_size=8, max_size=8))
def test_each_wait_is_that_of_the_schedule_or_what_was_asked_for(outcomes: list[SendFailure]) -> None:
    results = played(list(outcomes))
    for result, planned, outcome in zip(results[:-1], WEBHOOK_RETRIES[1:], outcomes, strict=False):
        waited = result.due_in
        assert waited is not None
        asked = outcome.retry_after or 0 if isinstance(outcome, Unavailable) else 0
        assert planned * 0.8 - 0.001 <= waited <= max(planned * 1.2, asked) + 0.001
        assert waited >= asked - 0.001
