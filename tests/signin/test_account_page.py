"""The page that links in mails lead to: it runs its own script alone, and opening it uses nothing up."""

import base64
import hashlib
import re
from pathlib import Path

import aiohttp
import pytest

from tests.client import Client
from tests.mail.mailbox import url_in
from tests.mail.posted import PUBLIC_URL, Posted
from tocsin.app import PREFIX
from tocsin.signin.links import _PAGES


async def page(posted: Posted, http: aiohttp.ClientSession, path: str) -> tuple[aiohttp.ClientResponse, str]:
    async with http.get(f"{posted.api.base}{path}") as answer:
        return answer, await answer.text()


async def test_the_address_in_a_mail_is_served_and_uses_nothing_up(posted: Posted, http: aiohttp.ClientSession) -> None:
    project = await posted.sign_up("Opened")
    url = url_in(await posted.boxes.next(project.email, "Confirm"))
    path, _, token = url.removeprefix(PUBLIC_URL).partition("#token=")
    for _ in range(2):
        answer, text = await page(posted, http, path)
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert "<form" in text
    assert (await posted.api.post("/auth/email/verify", {"token": token})).status == 200


async def test_nothing_but_its_own_script_runs_and_nobody_frames_it(
    posted: Posted, http: aiohttp.ClientSession
) -> None:
    answer, text = await page(posted, http, "/account/reset-password")
    policy = answer.headers["Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    for said in ("default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert said in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Tocsin" not in text


async def test_every_page_that_a_link_names_calls_something_that_exists(
    posted: Posted, http: aiohttp.ClientSession, api: Client
) -> None:
    _, text = await page(posted, http, "/account/verify-email")
    calls = dict(re.findall(r'"([a-z-]+)": \{[^}]*?call: "([a-z/]+)"', text))
    assert set(calls) == set(_PAGES.values())
    paths = (await api.get("/openapi.json")).json["paths"]
    assert all("post" in paths[f"{PREFIX}/{path}"] for path in calls.values())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_it_is_only_read(posted: Posted, http: aiohttp.ClientSession, method: str) -> None:
    async with http.request(method, f"{posted.api.base}/account/verify-email") as answer:
        assert answer.status == 405


def test_the_page_is_part_of_the_package() -> None:
    import tocsin.signin

    assert (Path(tocsin.signin.__file__).parent / "account.html").exists()
