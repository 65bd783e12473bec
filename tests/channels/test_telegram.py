"""Telegram: what a bot says, to the letter, and what its refusals mean (C7)."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.channels.conftest import Builder
from tests.inbound.bots import bot_token
from tests.inbound.telegram.bot_api import BotApi, Known, bot_api
from tocsin.channels.contract import Action, BadCredentials, Blocked, Receipt, Rejected, SendFailure, Unavailable
from tocsin.channels.telegram import Telegram, TelegramCredentials, TelegramSettings, cut, units
from tocsin.kit.http import Door

CHAT = "4503599627370495"
TOKEN = bot_token()
CREDENTIALS = TelegramCredentials.model_validate({"botToken": TOKEN})
SETTINGS = TelegramSettings()


@pytest.fixture
async def far(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BotApi]:
    async with bot_api() as api:
        monkeypatch.setenv("TOCSIN_TELEGRAM_API_URL", api.url)
        yield api


@pytest.fixture
def bot(far: BotApi) -> Known:
    return far.know(TOKEN, "acme_bot")


async def send(door: Door, message: Any, address: str | None = CHAT) -> Receipt:
    return await Telegram().send(message, address, SETTINGS, CREDENTIALS, door)


async def test_a_notification_is_a_bold_title_a_text_and_buttons(bot: Known, message: Builder, door: Door) -> None:
    receipt = await send(door, message(message="5 < 6 & 7 > 6"))
    assert not receipt.delivered and receipt.provider_message_id == "1000"
    [said] = bot.of("sendMessage")
    assert said == {
        "chat_id": int(CHAT),
        "text": "<b>Oven 3 is too hot</b>\n5 &lt; 6 &amp; 7 &gt; 6",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {
            "inline_keyboard": [
                [{"text": "Acknowledge", "callback_data": "ack:0199a000-0000-7000-8000-000000000002"}],
                [{"text": "Open the oven", "url": "https://acme.example.com/ovens/3?a=1&b=2"}],
            ]
        },
    }


async def test_what_leaves_over_a_lent_bot_is_acknowledged_by_a_link(bot: Known, message: Builder, door: Door) -> None:
    """A press would be told to whoever lends it."""
    await send(door, message(hears=False))
    [said] = bot.of("sendMessage")
    assert said["reply_markup"]["inline_keyboard"][0] == [{"text": "Acknowledge", "url": message().ack_url}]


async def test_what_matters_little_makes_no_sound(bot: Known, message: Builder, door: Door) -> None:
    await send(door, message(priority="low", require_ack=False, action=None))
    [said] = bot.of("sendMessage")
    assert said["disable_notification"] is True and "reply_markup" not in said


async def test_a_topic_of_a_group_is_named_behind_its_id(bot: Known, message: Builder, door: Door) -> None:
    await send(door, message(), "-1001234567890:7")
    [said] = bot.of("sendMessage")
    assert (said["chat_id"], said["message_thread_id"]) == (-1001234567890, 7)


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "x" * 10_000},
        {"message": "<&>" * 4_000},
        {"message": "\U0001f600" * 4_000},
        {"title": "\U0001f600" * 4_000, "message": "a" * 9_000},
        {"title": "<b>" * 2_000, "message": ""},
    ],
    ids=["long", "all escaped", "all pairs", "long title", "title alone"],
)
async def test_what_is_too_long_is_shortened_to_what_telegram_takes(
    bot: Known, message: Builder, door: Door, fields: dict[str, str]
) -> None:
    await send(door, message(**fields))
    assert len(bot.of("sendMessage")) == 1


@pytest.mark.parametrize("most", range(1, 9))
def test_a_text_is_cut_between_characters(most: int) -> None:
    short = cut("a\U0001f600b\U0001f601cd", most)
    assert units(short) <= most and (short.endswith("…") or most >= 8)
    assert "�" not in short and short.encode("utf-8")


@pytest.mark.parametrize(
    "words", ["Bad Request: can't parse entities: unsupported start tag", "Bad Request: BUTTON_URL_INVALID"]
)
async def test_what_telegram_cannot_read_is_said_once_more_in_plain_words(
    far: BotApi, bot: Known, message: Builder, door: Door, words: str
) -> None:
    far.refusals["sendMessage"] = [(400, {"description": words})]
    await send(door, message(message="5 < 6", action=Action(url="http://intranet/x")))
    _, plain = bot.of("sendMessage")
    assert "parse_mode" not in plain and plain["text"] == "Oven 3 is too hot\n5 < 6\nhttp://intranet/x"
    assert [[each["text"] for each in row] for row in plain["reply_markup"]["inline_keyboard"]] == [["Acknowledge"]]


REFUSALS = [
    (401, "Unauthorized", BadCredentials),
    (404, "Not Found", BadCredentials),
    (403, "Forbidden: bot was blocked by the user", Blocked),
    (403, "Forbidden: user is deactivated", Blocked),
    (403, "Forbidden: bot was kicked from the supergroup chat", Blocked),
    (403, "Forbidden: bot can't initiate conversation with a user", Rejected),
    (400, "Bad Request: chat not found", Rejected),
    (413, "Request Entity Too Large", Rejected),
    (500, "Internal Server Error", Unavailable),
    (502, "Bad Gateway", Unavailable),
]


@pytest.mark.parametrize(("status", "words", "kind"), REFUSALS, ids=[f"{status} {w}" for status, w, _ in REFUSALS])
async def test_a_refusal_says_whose_fault_it_is(
    far: BotApi, bot: Known, message: Builder, door: Door, status: int, words: str, kind: type[SendFailure]
) -> None:
    far.refusals["sendMessage"] = [(status, {"description": words})]
    with pytest.raises(kind) as refusal:
        await send(door, message())
    assert type(refusal.value) is kind and words in refusal.value.reason and TOKEN not in str(refusal.value)


async def test_a_pause_that_telegram_asks_for_is_kept(far: BotApi, bot: Known, message: Builder, door: Door) -> None:
    told = {"description": "Too Many Requests: retry after 37", "parameters": {"retry_after": 37}}
    far.refusals["sendMessage"] = [(429, told)]
    with pytest.raises(Unavailable) as refusal:
        await send(door, message())
    assert refusal.value.retry_after == 37


@pytest.mark.parametrize("answer", ["<html>Bad gateway</html>", '{"ok": true}', '{"ok": true, "result": []}', ""])
async def test_an_answer_that_is_not_telegrams_is_worth_another_try(
    far: BotApi, bot: Known, message: Builder, door: Door, answer: str
) -> None:
    far.refusals["sendMessage"] = [(200, answer)]
    with pytest.raises(Unavailable):
        await send(door, message())


async def test_a_group_that_moved_is_found_at_its_new_id(far: BotApi, bot: Known, message: Builder, door: Door) -> None:
    told = {"description": "Bad Request: group chat was upgraded", "parameters": {"migrate_to_chat_id": -1001}}
    far.refusals["sendMessage"] = [(400, told)]
    receipt = await send(door, message(), "-77:3")
    assert receipt.moved_to == "-1001:3"
    assert [said["chat_id"] for said in bot.of("sendMessage")] == [-77, -1001]


async def test_a_group_that_moves_again_at_once_is_given_up(
    far: BotApi, bot: Known, message: Builder, door: Door
) -> None:
    told = {"description": "Bad Request: group chat was upgraded", "parameters": {"migrate_to_chat_id": -1001}}
    far.refusals["sendMessage"] = [(400, told)] * 2
    with pytest.raises(Rejected):
        await send(door, message(), "-77")
    assert len(bot.of("sendMessage")) == 2


@pytest.mark.parametrize("address", ["@x'--", "", "0", "12a", "4503599627370496", "-4503599627370496", "1:0", "1 2"])
async def test_only_ids_of_chats_are_addresses(bot: Known, message: Builder, door: Door, address: str) -> None:
    assert Telegram().address_problem(address)
    with pytest.raises(Rejected):
        await send(door, message(), address)
    assert bot.said == []


@pytest.mark.parametrize("token", ["", "1:short", "abc:" + "x" * 35, "1:" + "x" * 35 + "/..", "1:" + "x" * 200])
def test_a_token_of_another_shape_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="botToken"):
        TelegramCredentials.model_validate({"botToken": token})


async def test_a_bot_is_verified_by_what_telegram_calls_it(bot: Known, door: Door) -> None:
    account = await Telegram().verify(SETTINGS, CREDENTIALS, door)
    assert (account.id, account.name) == (TOKEN.partition(":")[0], "@acme_bot")


async def test_a_dead_token_is_the_connections_own_fault_and_not_told(far: BotApi, door: Door) -> None:
    with pytest.raises(BadCredentials) as refusal:
        await Telegram().verify(SETTINGS, CREDENTIALS, door)
    assert TOKEN.partition(":")[2] not in f"{refusal.value!r}{refusal.value.answer}"


async def test_a_bot_api_that_is_away_does_not_spill_the_token(
    monkeypatch: pytest.MonkeyPatch, message: Builder, door: Door
) -> None:
    monkeypatch.setenv("TOCSIN_TELEGRAM_API_URL", "http://127.0.0.1:1")
    with pytest.raises(Unavailable) as refusal:
        await send(door, message())
    assert TOKEN not in f"{refusal.value!r}" and refusal.value.__cause__ is None


async def test_an_address_of_the_inside_is_not_called(monkeypatch: pytest.MonkeyPatch, message: Builder) -> None:
    monkeypatch.setenv("TOCSIN_TELEGRAM_API_URL", "http://169.254.169.254")
    async with Door() as strict:
        with pytest.raises(Rejected):
            await send(strict, message())


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("https://a.example/x", True),
        ("https://a.example:8443/x", True),
        ("https://a.example:88/x", True),
        ("https://a.example:9443/x", False),
        ("http://a.example/x", False),
    ],
)
def test_telegram_calls_over_tls_at_four_ports(url: str, may: bool) -> None:
    assert Telegram().may_call(url) is may
