"""Providers to sign in at: a certified one that others wrote, and the browser that goes there."""

import asyncio
import contextlib
import html
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import aiohttp
from yarl import URL

from tests.client import Client, Project, Reply
from tests.node import find_node, installed_packages

OIDC = Path(__file__).parent / "oidc"
OLDEST_NODE = 20
APP = "https://app.example.com/signed-in"
OTHER_APP = "http://localhost:3000/back?lang=de"

PEOPLE: dict[str, dict[str, Any]] = {
    "ann": {"email": "Ann@Known.example", "email_verified": True, "name": "Ann at the provider"},
    "unproven": {"email": "unproven@known.example", "email_verified": False, "name": "Unproven"},
    "stranger": {"email": "stranger@elsewhere.example", "email_verified": True, "name": "Stranger"},
    "silent": {},
}
"""Who the provider knows; anybody else it takes for a verified e-mail of that name, see ``known``."""


def known(login: str) -> str:
    return f"{login}@known.example"


@dataclass(frozen=True)
class Provider:
    """``oidc-provider`` in a process of its own."""

    issuer: str
    http: aiohttp.ClientSession

    async def register(self, project: Project) -> dict[str, Any]:
        """A client there for this project: ``clientId`` and ``clientSecret`` for its settings."""
        wanted = {
            "redirect_uris": [f"{project.owner.base}/api/v1/auth/sso/{project.slug}/callback"],
            "application_type": "native",  # redirects to plain http on loopback
            "token_endpoint_auth_method": "client_secret_basic",
        }
        async with self.http.post(f"{self.issuer}/reg", json=wanted) as answer:
            made = await answer.json()
        assert answer.status == 201, made
        return {"clientId": made["client_id"], "clientSecret": made["client_secret"]}


@contextlib.asynccontextmanager
async def running_provider(http: aiohttp.ClientSession, logins: list[str]) -> AsyncIterator[Provider]:
    """A provider that also knows these logins, with a verified e-mail each."""
    people = {**{login: {"email": known(login), "email_verified": True} for login in logins}, **PEOPLE}
    node = find_node(OLDEST_NODE)
    packages = await asyncio.to_thread(installed_packages, OIDC, node)
    process = await asyncio.create_subprocess_exec(
        node.node,
        str(OIDC / "provider.js"),
        str(packages),
        json.dumps(people),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        issuer = ""
        async with asyncio.timeout(60):
            while not issuer.startswith("http://"):
                line = await process.stdout.readline()
                assert line, "the provider ended"
                issuer = line.decode().strip()
        yield Provider(issuer, http)
    finally:
        process.kill()
        await process.wait()


async def configure(project: Project, issuer: str, client: dict[str, Any], **fields: Any) -> Reply:
    """Set single sign-on of a project up."""
    body = {"issuer": issuer, **client, "returnUrls": [APP, OTHER_APP], **fields}
    reply = await project.owner.put("/projects/me/sso", body)
    assert reply.status == 200, reply.json
    return reply


@dataclass
class Browser:
    """A browser: it keeps cookies and follows redirects only as far as it is asked to."""

    base: str
    session: aiohttp.ClientSession
    accept: str = "application/json"
    cookies: list[SimpleCookie] = field(default_factory=list)

    async def get(self, url: str) -> aiohttp.ClientResponse:
        answer = await self.session.get(URL(url, encoded=True), allow_redirects=False, headers={"Accept": self.accept})
        await answer.read()
        return answer

    async def start(self, slug: str, **query: str) -> aiohttp.ClientResponse:
        url = URL(f"{self.base}/api/v1/auth/sso/{slug}/start").with_query(query)
        answer = await self.get(str(url))
        self.cookies.append(answer.cookies)
        return answer

    async def sign_in(self, slug: str, login: str, **query: str) -> str:
        """Begin, log in at the provider and agree there; the address of ours that the provider then leads to."""
        answer = await self.start(slug, **query)
        assert answer.status == 303, await answer.text()
        return await self.log_in(answer.headers["Location"], login)

    async def log_in(self, url: str, login: str) -> str:
        """Through the provider's pages, which ask for a login once and for consent."""
        for _ in range(12):
            answer = await self.get(url)
            while answer.status in (302, 303):
                url = urljoin(url, answer.headers["Location"])
                if "/auth/sso/" in url:
                    return url
                answer = await self.get(url)
            page = await answer.text()
            assert answer.status == 200, page
            action = re.search(r'action="([^"]+)"', page)
            prompt = re.search(r'name="prompt" value="([^"]+)"', page)
            assert action and prompt, page
            form = {"prompt": prompt[1], "login": login, "password": "anything"}
            target = urljoin(url, html.unescape(action[1]))
            posted = await self.session.post(URL(target, encoded=True), data=form, allow_redirects=False)
            await posted.read()
            url = urljoin(target, posted.headers["Location"])
        raise AssertionError("the provider never sent the browser back")

    async def arrive(self, slug: str, login: str, **query: str) -> dict[str, str]:
        """The whole way to the app; what the app is told."""
        answer = await self.get(await self.sign_in(slug, login, **query))
        assert answer.status == 303, await answer.text()
        return told(answer)


def told(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The query of the address that an answer leads to."""
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


@contextlib.asynccontextmanager
async def browser(api: Client, address: str | None = None) -> AsyncIterator[Browser]:
    """A fresh one, which calls from this address of 127.0.0.0/8 if one is given."""
    jar = aiohttp.CookieJar(unsafe=True)  # hosts are addresses here
    connector = aiohttp.TCPConnector(local_addr=(address, 0)) if address else None
    patience = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=patience) as session:
        yield Browser(api.base, session)


async def refusal(browser: Browser, url: str) -> tuple[int, str]:
    """Status and code of a callback that is refused."""
    answer = await browser.get(url)
    problem = json.loads(await answer.text())
    return answer.status, problem["code"]
