"""Presses of buttons in Slack and Discord: calls as their documentation shows them, signed by libraries that are not
ours."""

import itertools
import time
from typing import Any
from urllib.parse import quote_plus

import msgspec
from nacl.signing import SigningKey
from slack_sdk.signature import SignatureVerifier

from tests.client import Client, Reply

_numbers = itertools.count(1)

ANN, BOB = ("UA8RXUSPL", "ann"), ("UB4QWERTY", "bob")


def slack_press(post: Any, answer_at: str, by: tuple[str, str] = ANN) -> dict[str, Any]:
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload, for the first button of a post."""
    (actions,) = [block for block in post["blocks"] if block["type"] == "actions"]
    button = actions["elements"][0]
    id_, name = by
    return {
        "type": "block_actions",
        "team": {"id": "T9TK3CUKW", "domain": "example"},
        "user": {"id": id_, "username": name, "name": name, "team_id": "T9TK3CUKW"},
        "api_app_id": "AABA1ABCD",
        "token": "9s8d9as89d8as9d8as989",
        "container": {"type": "message", "message_ts": "1548261231.000200", "channel_id": "CBR2V3XEX"},
        "trigger_id": f"{next(_numbers)}.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "channel": {"id": "CBR2V3XEX", "name": "review-updates"},
        "message": {
            "bot_id": "BAH5CA16Z",
            "type": "message",
            "text": post["text"],
            "ts": "1548261231.000200",
            "blocks": [{"block_id": f"b{number}", **block} for number, block in enumerate(post["blocks"])],
        },
        "response_url": answer_at,
        "actions": [{**button, "block_id": "=qXel", "action_ts": "1548426417.840180"}],
    }


async def slack_calls(
    api: Client, path: str, payload: Any, key: str, *, ago: int = 0, signed_with: str | None = None, **headers: str
) -> Reply:
    """A call of Slack's to the Request URL of an app, signed so many seconds ago."""
    body = f"payload={quote_plus(msgspec.json.encode(payload).decode())}".encode()
    sent_at = str(int(time.time()) - ago)
    signature = SignatureVerifier(signed_with or key).generate_signature(timestamp=sent_at, body=body)
    told = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": sent_at,
        "X-Slack-Signature": signature or "",
        **headers,
    }
    return await Client(api.http, api.base).post(path, body, **told)


def discord_press(post: Any, by: str = "53908232506183680", nick: str | None = None) -> dict[str, Any]:
    """https://docs.discord.com/developers/interactions/receiving-and-responding, of a button in a server."""
    button = post["components"][0]["components"][0]
    return {
        "version": 1,
        "type": 3,
        "token": "unique_interaction_token",
        "message": {
            "type": 0,
            "id": "844397162624450620",
            "content": "",
            "components": post["components"],
            "embeds": post["embeds"],
            "channel_id": "345626669114982402",
        },
        "member": {
            "user": {"username": "Mason", "id": by, "global_name": "Mason *M* Jar", "discriminator": "0"},
            "roles": ["290926798626357999"],
            "nick": nick,
        },
        "id": str(846462639134605312 + next(_numbers)),
        "guild_id": "290926798626357999",
        "data": {"custom_id": button["custom_id"], "component_type": 2},
        "channel_id": "345626669114982999",
    }


PING = {"version": 1, "type": 1, "id": "846462639134605999", "token": "t"}


async def discord_calls(api: Client, path: str, payload: Any, key: SigningKey, **headers: str) -> Reply:
    body = msgspec.json.encode(payload)
    sent_at = str(int(time.time()))
    signature = key.sign(sent_at.encode() + body).signature.hex()
    told = {
        "Content-Type": "application/json",
        "X-Signature-Timestamp": sent_at,
        "X-Signature-Ed25519": signature,
        **headers,
    }
    return await Client(api.http, api.base).post(path, body, **told)
