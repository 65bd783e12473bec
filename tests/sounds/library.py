"""Uploading in tests."""

from typing import Any

import aiohttp
import msgspec

from tests.client import Client, Reply
from tests.sounds.wave import tone

BOUNDARY = "x-boundary"
AS_FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def form(name: str, file: bytes | None = None) -> bytes:
    """The body of an upload, the same bytes each time."""
    fields = (
        (b'name="name"', name.encode()),
        (b'name="file"; filename="sound.wav"', tone() if file is None else file),
    )
    parts = (b"Content-Disposition: form-data; " + head + b"\r\n\r\n" + body for head, body in fields)
    edge = f"--{BOUNDARY}".encode()
    return b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"


async def upload(
    client: Client, name: str, file: bytes | None = None, filename: str = "sound.wav", **more: str
) -> Reply:
    """What a browser's form or ``curl -F`` sends."""
    form = aiohttp.FormData()
    form.add_field("name", name)
    form.add_field("file", tone() if file is None else file, filename=filename, content_type="audio/wav")
    for field, value in more.items():
        form.add_field(field, value)
    body = form()
    url = f"{client.base}/api/v1/sounds"
    async with client.http.post(url, data=body, headers=client.headers) as answer:
        return Reply(answer.status, msgspec.json.decode(await answer.read()), answer.headers)


async def uploaded(client: Client, name: str, file: bytes | None = None) -> Any:
    reply = await upload(client, name, file)
    assert reply.status == 201, reply.json
    return reply.json


async def fetched(client: Client, url: str, **headers: str) -> tuple[int, bytes, Any]:
    """Any address, without the client's credentials."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.http.get(url, headers=sent) as answer:
        return answer.status, await answer.read(), answer.headers
