"""One call of the Graph API."""

from dataclasses import replace
from typing import Any

import msgspec
from yarl import URL

from tocsin.channels.calling import api_of, exchanged
from tocsin.channels.whatsapp import failures
from tocsin.channels.whatsapp.forms import WhatsAppCredentials, WhatsAppSettings
from tocsin.kit.http import Door, Reply

API = "https://graph.facebook.com"


async def asked(
    settings: WhatsAppSettings,
    credentials: WhatsAppCredentials,
    door: Door,
    method: str,
    path: str,
    *,
    json: Any = None,
    **query: str,
) -> Reply:
    """A reply of 2xx. Raises Rejected, Unavailable or BadCredentials, in whose words the token is not: Meta repeats
    one that it does not understand."""
    token = credentials.access_token.get_secret_value()
    url = str(URL(f"{api_of('whatsapp', API)}/{settings.graph_version}/{path}").with_query(query or None))
    headers = {"Authorization": f"Bearer {token}"}
    body = None
    if json is not None:
        headers["Content-Type"] = "application/json"
        body = msgspec.json.encode(json)
    reply = await exchanged(door, method, url, headers, body)
    if 200 <= reply.status < 300:
        return reply
    raise failures.failure(replace(reply, body=reply.body.replace(token.encode(), b"****")))
