"""A Bot API on loopback, after https://core.telegram.org/bots/api: it knows bots, keeps what they say and what they are
told, calls their webhooks, and refuses what it is told to refuse.

Checked as Telegram does: tokens, the length of texts after parsing, entities, the data of buttons, and that one bot is
either called or asked.
"""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import msgspec
from aiohttp import web

POLL_SECONDS = 0.3
"""At most, whatever a bot asks for, unless a test wants it longer."""


@dataclass
class Known:
    """What Telegram knows of one bot."""

    username: str
    webhook: dict[str, Any] = field(default_factory=dict)
    said: list[tuple[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    asked_after: list[int | None] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    poll_seconds: float = POLL_SECONDS
    say_seconds: float = 0.0

    def of(self, method: str) -> list[Any]:
        """What it was called with, by method, in order."""
        return [what for name, what in self.said if name == method]


@dataclass
class BotApi:
    """``refusals`` are given in turn for a method, in place of its answer; ``sockets`` are those that were opened."""

    url: str = ""
    sockets: set[Any] = field(default_factory=set)
    bots: dict[str, Known] = field(default_factory=dict)
    refusals: defaultdict[str, list[tuple[int, dict[str, Any] | str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    numbers: Any = field(default_factory=lambda: itertools.count(1_000))

    def know(self, token: str, username: str) -> Known:
        self.bots[token] = Known(username)
        return self.bots[token]

    async def take(self, request: web.Request) -> web.Response:
        self.sockets.add(request.transport)
        method, token = request.match_info["method"], request.match_info["token"]
        body = await request.read()
        what = msgspec.json.decode(body) if body else {}
        bot = self.bots.get(token)
        if bot is None:
            return _refused(401, "Unauthorized")
        bot.said.append((method, what))
        if self.refusals[method]:
            status, answer = self.refusals[method].pop(0)
            if isinstance(answer, str):
                return web.Response(status=status, text=answer)
            return web.json_response({"ok": False, "error_code": status, **answer}, status=status)
        return await getattr(self, f"_{method}")(token, bot, what)

    async def _getMe(self, token: str, bot: Known, what: Any) -> web.Response:
        me = {"id": int(token.partition(":")[0]), "is_bot": True, "first_name": "A bot", "username": bot.username}
        return _answered(me)

    async def _getWebhookInfo(self, token: str, bot: Known, what: Any) -> web.Response:
        info = {"has_custom_certificate": False, "pending_update_count": len(bot.updates)}
        return _answered({"url": bot.webhook.get("url", ""), **info})

    async def _setWebhook(self, token: str, bot: Known, what: Any) -> web.Response:
        bot.webhook = what
        return _answered(True)

    async def _deleteWebhook(self, token: str, bot: Known, what: Any) -> web.Response:
        bot.webhook = {}
        return _answered(True)

    async def _getUpdates(self, token: str, bot: Known, what: Any) -> web.Response:
        if bot.webhook.get("url"):
            return _refused(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = what.get("offset")
        bot.asked_after.append(offset)
        bot.updates = [each for each in bot.updates if offset is None or each["update_id"] >= offset]
        if not bot.updates:
            bot.news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(bot.poll_seconds, what.get("timeout", 0))):
                    await bot.news.wait()
        return _answered(bot.updates[: what.get("limit", 100)])

    async def _sendMessage(self, token: str, bot: Known, what: Any) -> web.Response:
        text = what["text"]
        await asyncio.sleep(bot.say_seconds)
        if what.get("parse_mode") == "HTML":
            text = _parsed(text)
            if text is None:
                return _refused(400, "Bad Request: can't parse entities: unexpected end tag at byte offset 7")
        if not 0 < len(text.encode("utf-16-le")) // 2 <= 4_096:
            return _refused(400, "Bad Request: message is too long")
        for row in what.get("reply_markup", {}).get("inline_keyboard", []):
            for button in row:
                if len(button.get("callback_data", "").encode()) > 64:
                    return _refused(400, "Bad Request: BUTTON_DATA_INVALID")
        chat = {"id": what["chat_id"], "type": "private" if what["chat_id"] > 0 else "supergroup"}
        shown = {"date": 1_795_000_000, "chat": chat, "text": text}
        if what.get("parse_mode") == "HTML" and "<b>" in what["text"]:
            bold = _parsed(what["text"].partition("</b>")[0] + "</b>") or ""
            shown["entities"] = [{"type": "bold", "offset": 0, "length": len(bold.encode("utf-16-le")) // 2}]
        if "reply_markup" in what:
            shown["reply_markup"] = what["reply_markup"]
        return _answered({"message_id": next(self.numbers), **shown})

    async def _answerCallbackQuery(self, token: str, bot: Known, what: Any) -> web.Response:
        return _answered(True)

    async def _editMessageText(self, token: str, bot: Known, what: Any) -> web.Response:
        return _answered(True)

    async def _editMessageReplyMarkup(self, token: str, bot: Known, what: Any) -> web.Response:
        return _answered(True)

    def tell(self, token: str, **what: Any) -> int:
        """An update for a bot that asks; its number."""
        bot, number = self.bots[token], next(self.numbers)
        bot.updates.append({"update_id": number, **what})
        bot.news.set()
        return number


class _Texts(HTMLParser):
    """The text of Telegram's HTML, or nothing where a tag does not fit."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open, self.broken = "", list[str](), False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.broken |= tag not in ("b", "i", "u", "s", "a", "code", "pre")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.broken |= not self.open or self.open.pop() != tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _parsed(text: str) -> str | None:
    parser = _Texts()
    parser.feed(text)
    parser.close()
    return None if parser.broken or parser.open else parser.text


def _answered(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _refused(status: int, description: str, **parameters: Any) -> web.Response:
    told = {"parameters": parameters} if parameters else {}
    return web.json_response({"ok": False, "error_code": status, "description": description, **told}, status=status)


@contextlib.asynccontextmanager
async def bot_api() -> AsyncIterator[BotApi]:
    api = BotApi()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", api.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield api
    finally:
        await runner.cleanup()
