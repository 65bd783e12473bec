"""Chat tools that are posted to by an HTTP call: what all of them do with an answer, and what each of them says.

Slack's blocks are checked by the models of its own library. Answers are those of the providers' documentation; none
of them was reached.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from tests.channels.far_end import answering
from tocsin.channels.contract import Action, BadCredentials, Channel, Described, Message, Nothing, Rejected, Unavailable
from tocsin.channels.discord import Discord, DiscordCredentials
from tocsin.channels.http import Http, HttpCredentials, HttpSettings
from tocsin.channels.ntfy import Ntfy, NtfyCredentials, NtfySettings
from tocsin.channels.slack import Slack, SlackCredentials
from tocsin.channels.teams import Teams, TeamsCredentials
from tocsin.kit.http import Door

Build = Callable[..., Message]
Made = tuple[Channel[Any, Any], Described, Described]

SECRET = "T0AAAAAAA/B0BBBBBBB/CCCCCCCCCCCCCCCCCCCCabcd"
DISCORD_MESSAGE = '{"id": "1187432916553650226", "type": 0, "content": "", "channel_id": "1187432916553650200"}'
DISCORD_WEBHOOK = '{"id": "223704706495545344", "type": 1, "name": "test webhook", "channel_id": "199737254929760256"}'
NTFY_MESSAGE = '{"id": "sPs71M8A2T", "time": 1735700000, "event": "message", "topic": "ovens", "message": "hot"}'


def slack(url: str) -> Made:
    return Slack(), Nothing(), SlackCredentials.model_validate({"webhookUrl": f"{url}/services/{SECRET}"})


def discord(url: str) -> Made:
    credentials = {"webhookUrl": f"{url}/api/webhooks/223704706495545344/3d89bb75?thread_id=7"}
    return Discord(), Nothing(), DiscordCredentials.model_validate(credentials)


def teams(url: str) -> Made:
    credentials = {"webhookUrl": f"{url}/workflows/0f3c/triggers/manual/paths/invoke?sig=abcdefgh1234"}
    return Teams(), Nothing(), TeamsCredentials.model_validate(credentials)


def ntfy(url: str) -> Made:
    settings = NtfySettings.model_validate({"url": url, "topic": "ovens"})
    return Ntfy(), settings, NtfyCredentials.model_validate({"token": "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"})


def http(url: str) -> Made:
    settings = {"url": f"{url}/push?key={{secret}}", "body": '{"title": "{title}"}'}
    return Http(), HttpSettings.model_validate(settings), HttpCredentials.model_validate({"secret": "canary-of-a-call"})


TOOLS = pytest.mark.parametrize("make", [slack, discord, teams, ntfy, http])
NOT_TO_THE_WEB = pytest.mark.parametrize(
    "url", ["myapp://ovens/3", "/ovens/3", "https:///3", "mailto:a@b.example", f"https://x/{'y' * 3_000}"]
)
GOOD = {slack: "ok", discord: DISCORD_MESSAGE, teams: "", ntfy: NTFY_MESSAGE, http: "whatever"}


@TOOLS
@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (400, Rejected),
        (413, Rejected),
        (401, BadCredentials),
        (403, BadCredentials),
        (404, BadCredentials),
        (410, BadCredentials),
        (302, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_an_answer_says_whose_fault_it_was(
    make: Callable[[str], Made], status: int, failure: type[Exception], message: Build, door: Door
) -> None:
    async with answering(status, "because", Retry_After="7", Location="/elsewhere") as far:
        channel, settings, credentials = make(far.url)
        with pytest.raises(failure) as raised:
            await channel.send(message(), None, settings, credentials, door)
    assert len(far.asked) == 1
    assert raised.value.status == status and raised.value.answer == "because"  # type: ignore[attr-defined]
    if isinstance(raised.value, Unavailable):
        assert raised.value.retry_after == 7


@TOOLS
async def test_nobody_there_is_worth_another_try(make: Callable[[str], Made], message: Build, door: Door) -> None:
    async with answering() as far:
        channel, settings, credentials = make(far.url)
    with pytest.raises(Unavailable):
        await channel.send(message(), None, settings, credentials, door)


@TOOLS
async def test_an_address_of_the_inside_is_refused_when_it_is_saved_and_when_it_is_called(
    make: Callable[[str], Made], message: Build
) -> None:
    channel, settings, credentials = make("http://10.0.0.7")
    async with Door() as door:
        problems = await channel.check(settings, credentials, door)
        assert [problem.code for problem in problems] == ["address_not_allowed"]
        with pytest.raises(Rejected):
            await channel.send(message(), None, settings, credentials, door)


@TOOLS
async def test_no_secret_is_in_what_is_told_of_the_account(make: Callable[[str], Made], door: Door) -> None:
    async with answering(200, DISCORD_WEBHOOK) as far:
        channel, settings, credentials = make(far.url)
        account = await channel.verify(settings, credentials, door)
    for secret in filter(None, credentials.revealed().values()):
        assert secret not in account.id and secret not in account.name


@TOOLS
async def test_two_attempts_say_the_same(make: Callable[[str], Made], message: Build, door: Door) -> None:
    async with answering(200, GOOD[make]) as far:
        channel, settings, credentials = make(far.url)
        for attempt in (1, 2):
            await channel.send(message(attempt=attempt), None, settings, credentials, door)
    assert far.asked[0].body == far.asked[1].body


@TOOLS
async def test_a_message_of_any_length_and_of_nothing_is_taken(
    make: Callable[[str], Made], message: Build, door: Door
) -> None:
    async with answering(200, GOOD[make]) as far:
        channel, settings, credentials = make(far.url)
        bare = {"action": None, "ack_url": None, "event": None}
        await channel.send(message(title="ü" * 10_000, message="日本語" * 20_000), None, settings, credentials, door)
        await channel.send(message(title="Hot", message="", **bare), None, settings, credentials, door)
    assert len(far.asked[0].body) < 28 * 1024


@pytest.mark.parametrize("make", [discord, ntfy])
async def test_an_answer_that_does_not_name_the_message_is_no_delivery(
    make: Callable[[str], Made], message: Build, door: Door
) -> None:
    async with answering(200, "<html>Sign in to the hotel's network</html>") as far:
        channel, settings, credentials = make(far.url)
        with pytest.raises(Unavailable):
            await channel.send(message(), None, settings, credentials, door)


async def test_slack_gets_blocks_that_its_own_library_finds_right(message: Build, door: Door) -> None:
    async with answering(200, "ok") as far:
        channel, settings, credentials = slack(far.url)
        receipt = await channel.send(
            message(title="Oven <!channel> & co", message="x" * 9_000), None, settings, credentials, door
        )
    [asked] = far.asked
    assert receipt.delivered
    assert asked.path == f"/services/{SECRET}"
    for block in asked.json["blocks"]:
        parsed = Block.parse(block)
        assert parsed is not None
        parsed.validate_json()
    header, section, actions = asked.json["blocks"]
    assert header["text"] == {"type": "plain_text", "text": "Oven <!channel> & co", "emoji": False}
    assert len(section["text"]["text"]) == 3_000
    assert [button["text"]["text"] for button in actions["elements"]] == ["Acknowledge", "Open the oven"]
    assert asked.json["text"].startswith("Oven &lt;!channel&gt; &amp; co")


@pytest.mark.parametrize("nothing", ["", " \n"])
async def test_slack_gets_no_empty_texts(nothing: str, message: Build, door: Door) -> None:
    """It refuses the message for one; a title may print nothing."""
    async with answering(200, "ok") as far:
        channel, settings, credentials = slack(far.url)
        await channel.send(message(title=nothing, message=nothing, action=None), None, settings, credentials, door)
        await channel.send(message(title=nothing), None, settings, credentials, door)
    header, actions = far.asked[0].json["blocks"]
    assert header["text"]["text"] == far.asked[0].json["text"] == "Acme Bakery" and actions["type"] == "actions"
    assert far.asked[1].json["blocks"][1]["text"]["text"].startswith("It has been")


@NOT_TO_THE_WEB
async def test_slack_gets_no_button_for_which_it_would_refuse_the_message(url: str, message: Build, door: Door) -> None:
    async with answering(200, "ok") as far:
        channel, settings, credentials = slack(far.url)
        await channel.send(message(action=Action(url=url)), None, settings, credentials, door)
    [button] = far.asked[0].json["blocks"][-1]["elements"]
    assert button["url"] == message().ack_url


@pytest.mark.parametrize(("secret", "hears"), [(None, True), ("8f742231b10e8888", False)], ids=["no app", "lent"])
async def test_slack_gets_a_link_where_nobody_would_hear_of_a_press(
    message: Build, door: Door, secret: str | None, hears: bool
) -> None:
    async with answering(200, "ok") as far:
        credentials = {"webhookUrl": far.url, "signingSecret": secret}
        await Slack().send(message(hears=hears), None, Nothing(), SlackCredentials.model_validate(credentials), door)
    button = far.asked[0].json["blocks"][-1]["elements"][0]
    assert button["url"] == message().ack_url and "action_id" not in button


@pytest.mark.parametrize("refusal", ["no_text", "missing_text_or_fallback_or_attachments\n"])
async def test_slack_is_verified_by_a_message_of_nothing(refusal: str, door: Door) -> None:
    async with answering(400, refusal) as far:
        channel, settings, credentials = slack(far.url)
        account = await channel.verify(settings, credentials, door)
    assert far.asked[0].json == {} and account.id.endswith("abcd")
    async with answering(400, "invalid_payload") as far:
        with pytest.raises(Rejected):
            await channel.verify(*slack(far.url)[1:], door)
    async with answering(404, "no_service") as far:
        with pytest.raises(BadCredentials):
            await channel.verify(*slack(far.url)[1:], door)


async def test_discord_is_asked_whether_the_message_is_there_and_mentions_nobody(message: Build, door: Door) -> None:
    async with answering(200, DISCORD_MESSAGE) as far:
        channel, settings, credentials = discord(far.url)
        receipt = await channel.send(message(message="@everyone run"), None, settings, credentials, door)
    [asked] = far.asked
    assert receipt.delivered and receipt.provider_message_id == "1187432916553650226"
    assert (asked.path, asked.query) == (
        "/api/webhooks/223704706495545344/3d89bb75",
        {"thread_id": "7", "wait": "true"},
    )
    assert asked.json["allowed_mentions"] == {"parse": []} and "content" not in asked.json
    [embed] = asked.json["embeds"]
    assert embed["title"] == "Oven 3 is too hot" and embed["description"] == "@everyone run"
    assert datetime.fromisoformat(embed["timestamp"]) == message().created_at


@NOT_TO_THE_WEB
async def test_discord_gets_no_link_for_which_it_would_refuse_the_message(url: str, message: Build, door: Door) -> None:
    async with answering(200, DISCORD_MESSAGE) as far:
        channel, settings, credentials = discord(far.url)
        await channel.send(message(action=Action(url=url)), None, settings, credentials, door)
        await channel.send(message(), None, settings, credentials, door)
    without, linked = (asked.json["embeds"][0] for asked in far.asked)
    assert "url" not in without and linked["url"] == "https://acme.example.com/ovens/3?a=1&b=2"


async def test_discord_is_verified_by_reading_the_webhook(door: Door) -> None:
    async with answering(200, DISCORD_WEBHOOK) as far:
        channel, settings, credentials = discord(far.url)
        account = await channel.verify(settings, credentials, door)
    assert (account.id, account.name) == ("223704706495545344", "test webhook")
    assert [(asked.method, asked.body) for asked in far.asked] == [("GET", b"")]


async def test_teams_gets_a_card(message: Build, door: Door) -> None:
    async with answering(202) as far:
        channel, settings, credentials = teams(far.url)
        receipt = await channel.send(message(), None, settings, credentials, door)
    [asked] = far.asked
    assert not receipt.delivered and asked.query == {"sig": "abcdefgh1234"}
    [attachment] = asked.json["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert [block["text"] for block in attachment["content"]["body"]] == [
        "Oven 3 is too hot",
        "It has been at 312 °C for 4 minutes.\nSomebody should look.",
        "Acme Bakery",
    ]
    assert [action["title"] for action in attachment["content"]["actions"]] == ["Acknowledge", "Open the oven"]


async def test_ntfy_gets_priority_links_and_the_token(message: Build, door: Door) -> None:
    async with answering(200, NTFY_MESSAGE) as far:
        channel, settings, credentials = ntfy(far.url)
        receipt = await channel.send(message(), None, settings, credentials, door)
    [asked] = far.asked
    assert receipt.provider_message_id == "sPs71M8A2T" and not receipt.delivered
    assert asked.headers["Authorization"] == "Bearer tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"
    assert asked.json["topic"] == "ovens" and asked.json["priority"] == 5
    assert asked.json["click"] == "https://acme.example.com/ovens/3?a=1&b=2"
    assert [action["label"] for action in asked.json["actions"]] == ["Acknowledge", "Open the oven"]


async def test_ntfy_publishes_for_a_destination_on_the_topic_of_that(message: Build, door: Door) -> None:
    async with answering(200, NTFY_MESSAGE) as far:
        channel, settings, credentials = ntfy(far.url)
        await channel.send(message(), "shop-orders", settings, credentials, door)
    [asked] = far.asked
    assert asked.json["topic"] == "shop-orders"


async def test_ntfy_is_verified_without_a_message(door: Door) -> None:
    async with answering(200, '{"success": true}') as far:
        channel, settings, credentials = ntfy(far.url)
        assert (await channel.verify(settings, credentials, door)).name == "ovens"
    assert [(asked.method, asked.path) for asked in far.asked] == [("GET", "/ovens/auth")]


async def test_ntfy_keeps_its_message_within_what_it_shows_as_text(message: Build, door: Door) -> None:
    async with answering(200, NTFY_MESSAGE) as far:
        channel, settings, credentials = ntfy(far.url)
        await channel.send(message(message="日本語" * 20_000), None, settings, credentials, door)
    assert len(far.asked[0].json["message"].encode()) <= 3_000
