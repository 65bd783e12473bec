"""Notifications in a Slack channel, by an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks).

Mattermost and Rocket.Chat take the same.
"""

from typing import Any

from pydantic import Field, SecretStr

from tocsin.channels.calling import call, url_problems
from tocsin.channels.contract import (
    ANSWER_LIMIT,
    Account,
    Channel,
    Described,
    Message,
    Nothing,
    Receipt,
    Rejected,
)
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door, parse_target

# https://docs.slack.dev/reference/block-kit/blocks
HEADER, SECTION, BUTTON, FALLBACK = 150, 3_000, 75, 4_000

NO_TEXT = "no_text"
"""What a working webhook answers, with 400, to a message of nothing."""


class SlackCredentials(Described):
    """Whoever has the address may post."""

    webhook_url: SecretStr = Field(
        title="Webhook address", description="Begins with https://hooks.slack.com/services/.", max_length=2_048
    )


class Slack(Channel[Nothing, SlackCredentials]):
    """One message per notification, in the channel that the webhook was made for."""

    provider = "slack"
    channel = "slack"
    title = "Slack"
    reaches = "project"
    credentials = SlackCredentials
    setup_steps = (
        "Make an app at api.slack.com/apps, from scratch, in your workspace.",
        "Under Incoming Webhooks switch them on and add one for the channel.",
        "Copy the address of the webhook here and verify.",
    )

    async def send(
        self, message: Message, address: str | None, settings: Nothing, credentials: SlackCredentials, door: Door
    ) -> Receipt:
        reply = await call(door, "POST", credentials.webhook_url.get_secret_value(), json=_post(message))
        return Receipt(delivered=True, status=reply.status, answer=reply.text(ANSWER_LIMIT))

    async def verify(self, settings: Nothing, credentials: SlackCredentials, door: Door) -> Account:
        """Offer a message of nothing: refused for that, by a webhook that works."""
        url = credentials.webhook_url.get_secret_value()
        try:
            await call(door, "POST", url, json={})
        except Rejected as refusal:
            if NO_TEXT not in refusal.answer:
                raise
        target = parse_target(url, allowed=door.allowed)
        return Account(id=f"{target.host}/…{url[-4:]}", name=target.host)

    async def check(self, settings: Nothing, credentials: SlackCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, credentials.webhook_url.get_secret_value(), "/credentials/webhookUrl")


def _post(message: Message) -> dict[str, Any]:
    """Plain texts alone, so that nothing in them is markup or calls a whole channel."""
    blocks = [{"type": "header", "text": _plain(message.title, HEADER)}]
    if message.message:
        blocks.append({"type": "section", "text": _plain(message.message, SECTION)})
    buttons = [{"type": "button", "text": _plain(label, BUTTON), "url": url} for url, label in links(message)]
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})  # type: ignore[dict-item]
    return {"text": _escaped(shortened(f"{message.title}\n{message.message}".strip(), FALLBACK)), "blocks": blocks}


def _plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": shortened(text, most), "emoji": False}


def _escaped(text: str) -> str:
    """Of the text for lists and sounds (https://docs.slack.dev/messaging/formatting-message-text#escaping)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
