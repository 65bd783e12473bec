"""Discord by a bot: what it posts, what answers mean, and by what it knows Discord. Answers are those of Discord's
documentation; the signatures are another library's."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from nacl.signing import SigningKey

from tests.channels.conftest import Builder
from tests.channels.far_end import FarEnd, answering
from tocsin import __version__
from tocsin.channels.contract import Action, BadCredentials, Nothing, NotUnderstood, Rejected, Unavailable
from tocsin.channels.discord import Discord, DiscordCredentials
from tocsin.channels.discord_bot import DiscordBot, DiscordBotCredentials, DiscordBotSettings, replace
from tocsin.kit.http import Door

KEY = SigningKey(bytes(range(32)))
BOT = DiscordBot()
SETTINGS = DiscordBotSettings.model_validate({"channelId": "345626669114982999"})
CREDENTIALS = DiscordBotCredentials.model_validate(
    {"botToken": "canary-of-a-bot", "publicKey": KEY.verify_key.encode().hex()}
)
MESSAGE = '{"id": "1187432916553650226", "type": 0, "content": "", "channel_id": "345626669114982999"}'


@pytest.fixture
async def far(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FarEnd]:
    async with answering(200, MESSAGE) as end:
        monkeypatch.setenv("TOCSIN_DISCORD_API_URL", end.url)
        yield end


async def test_a_notification_is_an_embed_with_a_button(far: FarEnd, message: Builder, door: Door) -> None:
    receipt = await BOT.send(message(), None, SETTINGS, CREDENTIALS, door)
    assert receipt.delivered and receipt.provider_message_id == "1187432916553650226"
    [asked] = far.asked
    assert (asked.method, asked.path) == ("POST", "/channels/345626669114982999/messages")
    assert asked.headers["Authorization"] == "Bot canary-of-a-bot"
    assert asked.json["embeds"][0]["title"] == "Oven 3 is too hot" and asked.json["allowed_mentions"] == {"parse": []}
    [row] = asked.json["components"]
    acknowledge, action = row["components"]
    assert acknowledge == {
        "type": 2,
        "style": 3,
        "label": "Acknowledge",
        "custom_id": "ack:0199a000-0000-7000-8000-000000000002",
    }
    assert (action["style"], action["label"]) == (5, "Open the oven")


async def test_a_second_attempt_says_the_same_so_that_discord_posts_it_once(
    far: FarEnd, message: Builder, door: Door
) -> None:
    for attempt in (1, 2):
        await BOT.send(message(attempt=attempt), None, SETTINGS, CREDENTIALS, door)
    assert far.asked[0].body == far.asked[1].body
    assert far.asked[0].json["enforce_nonce"] and len(far.asked[0].json["nonce"]) <= 25


async def test_what_is_lent_has_a_link(far: FarEnd, message: Builder, door: Door) -> None:
    """A press would be told to whoever lends it."""
    await BOT.send(message(hears=False), None, SETTINGS, CREDENTIALS, door)
    first = far.asked[0].json["components"][0]["components"][0]
    assert first == {"type": 2, "style": 5, "label": "Acknowledge", "url": message().ack_url}


async def test_links_that_discord_would_refuse_are_left_out(far: FarEnd, message: Builder, door: Door) -> None:
    for url in ("myapp://ovens/3", f"https://acme.example.com/{'x' * 600}"):
        await BOT.send(
            message(action=Action(url=url), require_ack=False, ack_url=None), None, SETTINGS, CREDENTIALS, door
        )
    assert ["components" in asked.json for asked in far.asked] == [False, False]
    assert "url" not in far.asked[0].json["embeds"][0]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Rejected), (401, BadCredentials), (403, BadCredentials), (429, Unavailable)]
)
async def test_an_answer_says_whose_fault_it_was(
    far: FarEnd, message: Builder, door: Door, status: int, kind: type[Exception]
) -> None:
    far.status, far.text = status, '{"message": "because", "code": 0}'
    with pytest.raises(kind) as refusal:
        await BOT.send(message(), None, SETTINGS, CREDENTIALS, door)
    assert "canary" not in str(refusal.value)


async def test_every_call_names_itself_as_discord_wants_it(far: FarEnd, message: Builder, door: Door) -> None:
    await BOT.send(message(), None, SETTINGS, CREDENTIALS, door)
    with pytest.raises(BadCredentials):  # the answer is a message, and no application
        await BOT.verify(SETTINGS, CREDENTIALS, door)
    await replace(door, "290926444748734465", "token", [], "Acknowledged.", None)
    hook = DiscordCredentials.model_validate({"webhookUrl": f"{far.url}/api/webhooks/1/x"})
    await Discord().send(message(), None, Nothing(), hook, door)
    await Discord().verify(Nothing(), hook, door)
    assert [asked.method for asked in far.asked] == ["POST", "GET", "PATCH", "POST", "GET"]
    for asked in far.asked:
        assert asked.headers["User-Agent"] == f"DiscordBot (https://tocsin.dev, {__version__})"


@pytest.mark.parametrize("status", [403, 404])
async def test_a_channel_that_is_closed_to_the_bot_is_the_fault_of_its_destination(
    far: FarEnd, message: Builder, door: Door, status: int
) -> None:
    far.status, far.text = status, '{"message": "Unknown Channel", "code": 10003}'
    with pytest.raises(Rejected):
        await BOT.send(message(), "345626669114982111", SETTINGS, CREDENTIALS, door)


@pytest.mark.parametrize("change", ["body", "time", "signature", "key", "nothing signed"])
def test_only_what_discord_signed_is_its(change: str) -> None:
    body, sent_at = b'{"type": 1}', "1735700000"
    signature = KEY.sign(sent_at.encode() + body).signature.hex()
    headers = {"x-signature-ed25519": signature, "x-signature-timestamp": sent_at}
    assert BOT.authenticate(headers, body, CREDENTIALS, "")
    forged: dict[str, Any] = {
        "body": (headers, body + b" "),
        "time": ({**headers, "x-signature-timestamp": "1735700001"}, body),
        "signature": ({**headers, "x-signature-ed25519": signature[:-2] + "00"}, body),
        "key": ({**headers, "x-signature-ed25519": SigningKey.generate().sign(body).signature.hex()}, body),
        "nothing signed": ({}, body),
    }
    assert not BOT.authenticate(*forged[change], CREDENTIALS, "")


@pytest.mark.parametrize("body", [[], None, {}, {"type": "1"}, {"type": True}])
def test_what_is_no_interaction_is_not_understood(body: Any) -> None:
    with pytest.raises(NotUnderstood):
        BOT.items(body, CREDENTIALS)


@pytest.mark.parametrize(("application", "token"), [("../x", "t"), ("290926444748734465", "a/../../b"), ("1", "t")])
async def test_a_press_leads_nowhere_else_at_discord(far: FarEnd, door: Door, application: str, token: str) -> None:
    with pytest.raises(ValueError):
        await replace(door, application, token, [], "Acknowledged.", None)
    assert far.asked == []
