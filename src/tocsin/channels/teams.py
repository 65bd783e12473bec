"""Notifications in a Microsoft Teams channel or chat, by a workflow that posts what its webhook gets.

https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams and
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from typing import Any

from pydantic import Field, SecretStr

from tocsin.channels.calling import call, url_problems
from tocsin.channels.contract import ANSWER_LIMIT, Account, Channel, Described, Message, Nothing, Receipt, Step
from tocsin.channels.wording import links, shortened
from tocsin.kit.errors import FieldError
from tocsin.kit.http import Door, parse_target

TITLE, TEXT = 512, 6_000
"""Together well within the 28 KB that a message may have, whatever the letters."""


class TeamsCredentials(Described):
    """Whoever has the address may post."""

    webhook_url: SecretStr = Field(
        title="Webhook address", description="Shown by the workflow when it is saved.", max_length=2_048
    )


class Teams(Channel[Nothing, TeamsCredentials]):
    """One card per notification, where the workflow posts it."""

    provider = "teams"
    channel = "teams"
    title = "Microsoft Teams"
    reaches = "project"
    asks_quietly = False
    credentials = TeamsCredentials
    setup_steps = (
        Step("workflow", "In Teams open Workflows and choose “Post to a channel when a webhook request is received”."),
        Step("channel", "Choose the team and the channel and save."),
        Step("verify", "Copy the address of the workflow here and verify: a card says that it works."),
    )

    async def send(
        self, message: Message, address: str | None, settings: Nothing, credentials: TeamsCredentials, door: Door
    ) -> Receipt:
        """Taken means that the workflow was started; whether its card arrived, Teams does not say."""
        reply = await call(door, "POST", credentials.webhook_url.get_secret_value(), json=_card(*_parts(message)))
        return Receipt(delivered=False, status=reply.status, answer=reply.text(ANSWER_LIMIT))

    async def verify(self, settings: Nothing, credentials: TeamsCredentials, door: Door) -> Account:
        """Post a card, since a workflow does nothing else."""
        url = credentials.webhook_url.get_secret_value()
        await call(door, "POST", url, json=_card([_block("Notifications will appear here.")], []))
        target = parse_target(url, allowed=door.allowed)
        return Account(id=f"{target.host}/…{url[-4:]}", name=target.host)

    async def check(self, settings: Nothing, credentials: TeamsCredentials, door: Door) -> list[FieldError]:
        return await url_problems(door, credentials.webhook_url.get_secret_value(), "/credentials/webhookUrl")


def _parts(message: Message) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    color = {"critical": "Attention", "high": "Warning"}.get(message.priority, "Default")
    blocks = [_block(shortened(message.title, TITLE), weight="Bolder", size="Medium", color=color)]
    if message.message:
        blocks.append(_block(shortened(message.message, TEXT)))
    blocks.append(_block(message.project_name, isSubtle=True, size="Small"))
    return blocks, [{"type": "Action.OpenUrl", "title": label, "url": url} for url, label in links(message)]


def _block(text: str, **style: Any) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **style}


def _card(blocks: list[dict[str, Any]], actions: list[dict[str, Any]]) -> dict[str, Any]:
    """https://adaptivecards.microsoft.com/?topic=AdaptiveCard, in the version that Teams shows everywhere."""
    content = {"type": "AdaptiveCard", "version": "1.4", "body": blocks, "actions": actions}
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": content}
    return {"type": "message", "attachments": [attachment]}
