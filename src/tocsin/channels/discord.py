"""Notifications in a Discord channel, by a webhook (https://discord.com/developers/docs/resources/webhook)."""

from typing import Any

import msgspec
from pydantic import Field, SecretStr
from yarl import URL

from tocsin import __version__
from tocsin.channels.calling import call, decoded, url_problems
from tocsin.channels.contract import ANSWER_LIMIT, Account, Channel, Described, Message, Nothing, Receipt, Step
from tocsin.channels.wording import leads_to_web, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door

# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
TITLE, DESCRIPTION, AUTHOR, LINK = 256, 4_096, 256, 2_048

AGENT = {"User-Agent": f"DiscordBot (https://tocsin.dev, {__version__})"}
"""Whoever says it in another form may be shut out (https://docs.discord.com/developers/reference#user-agent)."""

COLORS = {"critical": 0xD92D20, "high": 0xF79009, "normal": 0x2E90FA, "low": 0x98A2B3}


class DiscordCredentials(Described):
    """Whoever has the address may post."""

    webhook_url: SecretStr = Field(
        title="Webhook address",
        description="Begins with https://discord.com/api/webhooks/; ?thread_id= after it posts in a thread.",
        max_length=2_048,
    )


class _Named(msgspec.Struct):
    """Of a message or a webhook, as Discord shows it."""

    id: str
    name: str | None = None


class Discord(Channel[Nothing, DiscordCredentials]):
    """One message per notification, in the channel that the webhook was made for."""

    provider = "discord"
    channel = "discord"
    title = "Discord"
    reaches = "project"
    credentials = DiscordCredentials
    setup_steps = (
        Step("webhook", "In the settings of the channel, under Integrations, make a webhook."),
        Step("verify", "Copy its address here and verify."),
    )

    async def send(
        self, message: Message, address: str | None, settings: Nothing, credentials: DiscordCredentials, door: Door
    ) -> Receipt:
        """Discord says with ``wait`` whether the message is in its channel."""
        url = URL(credentials.webhook_url.get_secret_value()).update_query(wait="true")
        reply = await call(door, "POST", str(url), headers=AGENT, json=post(message))
        return Receipt(
            delivered=True,
            provider_message_id=decoded(reply, _Named).id,
            status=reply.status,
            answer=reply.text(ANSWER_LIMIT),
        )

    async def verify(self, settings: Nothing, credentials: DiscordCredentials, door: Door) -> Account:
        url = URL(credentials.webhook_url.get_secret_value()).with_query(None)
        hook = decoded(await call(door, "GET", str(url), headers=AGENT), _Named)
        return Account(id=hook.id, name=hook.name or hook.id)

    async def check(self, settings: Nothing, credentials: DiscordCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, credentials.webhook_url.get_secret_value(), "/credentials/webhookUrl")


def post(message: Message, *, linked: bool = True) -> dict[str, Any]:
    """An embed, in which nobody is mentioned whatever it says; ``linked`` with the link of the acknowledgement."""
    embed: dict[str, Any] = {
        "title": shortened(message.title, TITLE),
        "description": shortened(message.message, DESCRIPTION),
        "color": COLORS[message.priority],
        "timestamp": message.created_at.isoformat(),
        "author": {"name": shortened(message.project_name, AUTHOR)},
    }
    # Discord refuses the whole message for a link of an app's own scheme (50035, URL_TYPE_INVALID_SCHEME).
    if message.action and leads_to_web(message.action.url) and len(message.action.url) <= LINK:
        embed["url"] = message.action.url
    if message.ack_url and linked:
        embed["fields"] = [{"name": "Acknowledge", "value": message.ack_url}]
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}
