"""Notifications in a Slack channel, by an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

With the signing secret of the app that the webhook belongs to, its messages have a button that Slack tells us of
(https://docs.slack.dev/interactivity/handling-user-interaction).
"""

import hmac
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs

from pydantic import Field, SecretStr

from tocsin.channels.buttons import ACKNOWLEDGE, presses
from tocsin.channels.calling import call, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    Channel,
    Described,
    Inbound,
    Item,
    Message,
    Nothing,
    NotUnderstood,
    Receipt,
    Rejected,
    Step,
)
from tocsin.channels.wording import leads_to_web, links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door, parse_target

# https://docs.slack.dev/reference/block-kit/blocks
HEADER, SECTION, BUTTON, FALLBACK, NOTE, LINK = 150, 3_000, 75, 4_000, 200, 3_000

RECENT = 300
"""Seconds that a call may be old: a later one was recorded by somebody."""
LONGEST_TIME = 12
KEPT = ("type", "user", "team", "channel", "message", "response_url")
"""What is kept of an interaction."""

NO_TEXT = ("no_text", "missing_text_or_fallback_or_attachments")
"""What a working webhook answers, with 400, to a message of nothing; older ones the second."""


class SlackCredentials(Described):
    """Whoever has the address may post."""

    webhook_url: SecretStr = Field(
        title="Webhook address", description="Begins with https://hooks.slack.com/services/.", max_length=2_048
    )
    signing_secret: SecretStr | None = Field(
        None,
        title="Signing secret",
        description="Of the app, under Basic Information. With it the button below a message acknowledges at once;"
        " without, it opens a page.",
        max_length=200,
    )


class Slack(Channel[Nothing, SlackCredentials], Inbound[SlackCredentials]):
    """One message per notification, in the channel that the webhook was made for."""

    provider = "slack"
    channel = "slack"
    title = "Slack"
    reaches = "project"
    credentials = SlackCredentials
    setup_steps = (
        Step("app", "Make an app at api.slack.com/apps, from scratch, in your workspace.", done_by="saved"),
        Step("webhook", "Under Incoming Webhooks switch them on and add one for the channel.", done_by="saved"),
        Step("verify", "Copy the address of the webhook here and verify.", done_by="verified"),
        Step(
            "callback",
            "For a button that acknowledges: copy the app's signing secret here, switch on Interactivity in"
            " the app and enter the callback address as its Request URL.",
            done_by="heard",
        ),
    )
    tells_once = False
    media = "application/x-www-form-urlencoded"

    async def send(
        self, message: Message, address: str | None, settings: Nothing, credentials: SlackCredentials, door: Door
    ) -> Receipt:
        reply = await call(door, "POST", credentials.webhook_url.get_secret_value(), json=_post(message, credentials))
        return Receipt(delivered=True, status=reply.status, answer=reply.text(ANSWER_LIMIT))

    async def verify(self, settings: Nothing, credentials: SlackCredentials, door: Door) -> Account:
        """Offer a message of nothing: refused for that, by a webhook that works."""
        url = credentials.webhook_url.get_secret_value()
        try:
            await call(door, "POST", url, json={})
        except Rejected as refusal:
            if not any(said in refusal.answer for said in NO_TEXT):
                raise
        target = parse_target(url, allowed=door.allowed)
        return Account(id=f"{target.host}/…{url[-4:]}", name=target.host)

    async def check(self, settings: Nothing, credentials: SlackCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, credentials.webhook_url.get_secret_value(), "/credentials/webhookUrl")

    def authenticate(self, headers: Mapping[str, str], body: bytes, credentials: SlackCredentials, secret: str) -> bool:
        """https://docs.slack.dev/authentication/verifying-requests-from-slack"""
        shown, sent_at = headers.get("x-slack-signature", ""), headers.get("x-slack-request-timestamp", "")
        if credentials.signing_secret is None or not sent_at.isdecimal() or len(sent_at) > LONGEST_TIME:
            return False
        key = credentials.signing_secret.get_secret_value().encode()
        right = hmac.new(key, b"v0:%s:%s" % (sent_at.encode(), body), sha256).hexdigest()
        return hmac.compare_digest(shown.encode(), f"v0={right}".encode()) and abs(time.time() - int(sent_at)) <= RECENT

    def told(self, body: bytes) -> bytes:
        """Of the one field of its form."""
        try:
            (payload,) = parse_qs(body.decode("ascii"), max_num_fields=10, errors="strict")["payload"]
        except (ValueError, KeyError):
            raise NotUnderstood("This is no interaction of Slack's.") from None
        return payload.encode()

    def items(self, body: Any, credentials: SlackCredentials) -> Sequence[Item]:
        """One press of our button. Links of a message are told as well when somebody opens them; nobody asked."""
        if not isinstance(body, dict) or not isinstance(body.get("actions", []), list):
            raise NotUnderstood("This is no interaction of Slack's.")
        ours = [each for each in body.get("actions", []) if is_ours(each)]
        name = body.get("trigger_id")
        if not ours or not isinstance(name, str):
            return []
        return [Item(name, {key: body.get(key) for key in KEPT} | {"actions": ours[:1]})]


def is_ours(element: Any) -> bool:
    """Whether it is the button of an acknowledgement."""
    return isinstance(element, dict) and str(element.get("action_id", "")).startswith(ACKNOWLEDGE)


async def replace(door: Door, url: str, words: str, blocks: Sequence[Any], note: str, at: datetime | None) -> None:
    """Leave these blocks of a message, the button taken away, and a note below them. Fails like ``send``.

    ``url`` is the one that Slack told us for this press; it is good for half an hour.
    """
    left = [block for block in map(_without_button, blocks) if block is not None]
    said: list[dict[str, Any]] = [_plain(note, NOTE)]
    if at is not None:
        said.append({"type": "mrkdwn", "text": _moment(at)})
    post = {"replace_original": True, "text": words, "blocks": [*left, {"type": "context", "elements": said}]}
    await call(door, "POST", url, json=post)


def _without_button(block: Any) -> Any:
    if not isinstance(block, dict) or block.get("type") != "actions":
        return block
    left = [element for element in block.get("elements", []) if not is_ours(element)]
    return {**block, "elements": left} if left else None


def _moment(at: datetime) -> str:
    """As each reader's clock shows it (https://docs.slack.dev/messaging/formatting-message-text#date-formatting)."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def _post(message: Message, credentials: SlackCredentials) -> dict[str, Any]:
    """Plain texts alone, so that nothing in them is markup or calls a whole channel. Slack refuses a message for any
    text of nothing in its blocks."""
    title = message.title.strip() or message.project_name
    blocks = [{"type": "header", "text": _plain(title, HEADER)}]
    if message.message.strip():
        blocks.append({"type": "section", "text": _plain(message.message, SECTION)})
    if buttons := _buttons(message, presses(message) if credentials.signing_secret else None):
        blocks.append({"type": "actions", "elements": buttons})  # type: ignore[dict-item]
    return {"text": _escaped(shortened(f"{title}\n{message.message}".strip(), FALLBACK)), "blocks": blocks}


def _buttons(message: Message, carried: str | None) -> list[dict[str, Any]]:
    """The acknowledgement as a link only where nobody would hear of its button. A link to anywhere but the web would
    cost the message."""
    pressed = [{"type": "button", "text": _plain("Acknowledge", BUTTON), "action_id": carried, "style": "primary"}]
    leading = [
        {"type": "button", "text": _plain(label, BUTTON), "url": url}
        for url, label in links(message)
        if leads_to_web(url) and len(url) <= LINK and (carried is None or url != message.ack_url)
    ]
    return [*pressed, *leading] if carried else leading


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, most), "emoji": False}


def _escaped(text: str) -> str:
    """Of the text for lists and sounds (https://docs.slack.dev/messaging/formatting-message-text#escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
