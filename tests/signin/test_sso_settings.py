"""Setting single sign-on up: what is asked of a provider, what is shown, and who may (A4, H3)."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import asyncpg
import pytest
from yarl import URL

from tests.client import Client, Project
from tests.mail.posted import PUBLIC_URL, Posted
from tests.signin.hostile import CLIENT, Liar, lying, new_key, public_jwk
from tests.signin.providers import APP, Provider, configure


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    async with lying() as issuer:
        yield issuer


def body(issuer: str, **fields: Any) -> dict[str, Any]:
    return {"issuer": issuer, **CLIENT, "returnUrls": [APP], **fields}


async def refused(project: Project, wanted: dict[str, Any]) -> list[tuple[str, str]]:
    reply = await project.owner.put("/projects/me/sso", wanted)
    assert reply.status == 422, reply.json
    return [(error["pointer"], error["code"]) for error in reply.json["errors"]]


async def test_what_was_set_is_shown_with_the_addresses_to_enter_and_without_the_secret(
    acme: Project, liar: Liar
) -> None:
    made = await configure(acme, liar.issuer, CLIENT, role="viewer", allowedDomains=["B.example", "a.example"])
    shown = (await acme.owner.get("/projects/me/sso")).json
    assert shown == made.json
    assert (await acme.owner.get("/projects/me")).json["ssoIssuer"] == liar.issuer
    assert shown["clientSecret"] == "…inds"
    assert shown["allowedDomains"] == ["a.example", "b.example"]
    assert shown["redirectUri"] == f"{acme.owner.base}/api/v1/auth/sso/{acme.slug}/callback"
    assert shown["startUrl"] == f"{acme.owner.base}/api/v1/auth/sso/{acme.slug}/start"
    assert (shown["role"], shown["enabled"], shown["createUnknown"]) == ("viewer", True, False)


async def test_the_secret_is_sealed_and_stands_on_no_record(acme: Project, liar: Liar, sql: asyncpg.Connection) -> None:
    await configure(acme, liar.issuer, CLIENT)
    rows = await sql.fetch("SELECT client_secret FROM tocsin.identity_providers WHERE project_id = $1", acme.id)
    audit = await sql.fetch("SELECT metadata::text FROM tocsin.audit_log WHERE project_id = $1", acme.id)
    assert rows[0]["client_secret"].startswith("v1.")
    assert CLIENT["clientSecret"] not in str([*rows, *audit])
    assert any("sso" in row["metadata"] for row in audit if row["metadata"])


async def test_a_test_of_the_provider_tells_what_it_says_of_itself(acme: Project, provider: Provider) -> None:
    await configure(acme, provider.issuer, await provider.register(acme))
    reply = await acme.owner.post("/projects/me/sso/test")
    assert reply.status == 200, reply.json
    assert reply.json["issuer"] == provider.issuer
    assert reply.json["authorizationEndpoint"] == f"{provider.issuer}/auth"
    assert "RS256" in reply.json["algorithms"] and "HS256" not in reply.json["algorithms"]
    assert reply.json["keys"] >= 1


async def test_a_refusal_is_told_in_the_providers_own_words(acme: Project, liar: Liar) -> None:
    reply = await acme.owner.put("/projects/me/sso", body(f"{liar.issuer}/elsewhere/not"))
    assert reply.status == 422
    assert reply.json["code"] == "issuer_mismatch"
    assert liar.issuer in reply.json["detail"]
    await configure(acme, liar.issuer, CLIENT)
    liar.keys = []
    tried = await acme.owner.post("/projects/me/sso/test")
    assert (tried.status, tried.code) == (422, "no_signing_key")


async def test_an_answer_that_is_no_discovery_document_is_refused(acme: Project, http: aiohttp.ClientSession) -> None:
    from aiohttp import web

    async def answer(request: web.Request) -> web.Response:
        if request.path.startswith("/text"):
            return web.Response(text="<html>Wrong place, my friend</html>")
        if request.path.startswith("/list"):
            return web.json_response([1])
        if request.path.startswith("/deep"):
            return web.Response(text="[" * 60_000)
        if request.path.startswith("/long"):
            return web.Response(text="{" + " " * 70_000 + "}")
        if request.path.startswith("/moved"):
            return web.Response(status=302, headers={"Location": "/text"})
        return web.Response(status=404, text="no such realm")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    said = {
        "text": "provider_invalid",
        "list": "provider_invalid",
        "deep": "provider_invalid",
        "long": "provider_invalid",
        "moved": "provider_refused",
        "realm": "provider_refused",
    }
    try:
        for path, code in said.items():
            reply = await acme.owner.put("/projects/me/sso", body(f"{base}/{path}"))
            assert (reply.status, reply.code) == (422, code), path
            if path == "realm":
                assert "no such realm" in reply.json["detail"]
    finally:
        await runner.cleanup()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"issuer": None}, "issuer_mismatch"),
    ({"issuer": "https://accounts.google.com"}, "issuer_mismatch"),
    ({"authorization_endpoint": None}, "discovery_invalid"),
    ({"token_endpoint": None}, "discovery_invalid"),
    ({"jwks_uri": 7}, "discovery_invalid"),
    ({"response_types_supported": ["id_token"]}, "discovery_invalid"),
    ({"code_challenge_methods_supported": ["plain"]}, "discovery_invalid"),
    ({"id_token_signing_alg_values_supported": ["HS256", "none"]}, "discovery_invalid"),
    ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "discovery_invalid"),
    ({"token_endpoint": "http://169.254.169.254/token"}, "address_not_allowed"),
    ({"jwks_uri": "http://10.0.0.1/keys"}, "address_not_allowed"),
    ({"userinfo_endpoint": "http://[::ffff:10.0.0.1]/"}, "address_not_allowed"),
    ({"authorization_endpoint": "javascript:alert(1)"}, "url_invalid"),
    ({"authorization_endpoint": "http://user@127.0.0.1/"}, "url_invalid"),
    ({"token_endpoint": "http://8.8.8.8:22/token"}, "port_not_allowed"),
]


@pytest.mark.parametrize(("change", "code"), WRONG)
async def test_a_provider_that_cannot_be_used_is_refused_when_it_is_set(
    acme: Project, liar: Liar, change: dict[str, Any], code: str
) -> None:
    liar.discovery = change
    assert await refused(acme, body(liar.issuer)) == [("/issuer", code)]


async def test_a_key_set_without_a_key_that_signs_is_refused(acme: Project, liar: Liar) -> None:
    for keys in ([], [public_jwk(new_key(), use="enc")], [{"kty": "oct", "k": "c2VjcmV0"}], ["x", 7, None]):
        liar.keys = keys  # type: ignore[assignment]
        assert await refused(acme, body(liar.issuer)) == [("/issuer", "no_signing_key")]


async def test_a_plain_issuer_outside_the_networks_of_the_operator_is_refused(acme: Project) -> None:
    assert await refused(acme, body("http://8.8.8.8")) == [("/issuer", "encryption_required")]


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:1/?a=b", "http://127.0.0.1:1/#x", "ftp://example.com", "x", ""])
async def test_an_issuer_is_a_plain_address(acme: Project, issuer: str) -> None:
    assert await refused(acme, body(issuer)) == [("/issuer", "url_invalid")]


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/",
        "//app.example.com/",
        "javascript:alert(1)",
        "https://user@app.example.com/",
        "https://app.example.com/#fragment",
        "https://app.example.com/a b",
        "https://app.example.com\\@evil.example/",
        "https://",
        "https://app.example.com:x/",
        "myapp://back",
        "https://app.example.com/\r\nX: y",
    ],
)
async def test_a_return_address_is_one_of_https_or_of_this_machine(acme: Project, liar: Liar, url: str) -> None:
    ((pointer, _),) = await refused(acme, body(liar.issuer, returnUrls=[url]))
    assert pointer == "/returnUrls/0"


async def test_a_return_address_may_lie_in_the_network_of_its_users(acme: Project, liar: Liar) -> None:
    reply = await acme.owner.put("/projects/me/sso", body(liar.issuer, returnUrls=["https://panel.internal:9443/x"]))
    assert reply.status == 200


async def test_a_kept_secret_is_not_sent_to_another_address(acme: Project, liar: Liar) -> None:
    await configure(acme, liar.issuer, CLIENT)
    kept = {"issuer": liar.issuer, "clientId": CLIENT["clientId"], "returnUrls": [APP]}
    assert (await acme.owner.put("/projects/me/sso", kept)).status == 200
    async with lying() as other:
        assert await refused(acme, {**kept, "issuer": other.issuer}) == [("/clientSecret", "required")]
        assert other.calls == []
    assert await refused(acme, {**kept, "clientId": "another"}) == [("/clientSecret", "required")]


async def test_where_everybody_has_an_account_new_people_need_a_domain(acme: Project) -> None:
    wanted = body("https://accounts.google.com", createUnknown=True)
    assert await refused(acme, wanted) == [("/allowedDomains", "required")]


async def test_nobody_gives_new_people_more_than_they_have(acme: Project, liar: Liar) -> None:
    _, small = await acme.new_key("project:manage")
    reply = await small.put("/projects/me/sso", body(liar.issuer, role="admin"))
    assert (reply.status, reply.code) == (403, "role_not_allowed")
    assert await refused(acme, body(liar.issuer, role="owner")) == [("/role", "role_not_allowed")]
    assert await refused(acme, body(liar.issuer, role="nobody-knows")) == [("/role", "unknown_role")]
    assert liar.calls == []


async def test_a_role_that_is_deleted_leaves_new_people_without_one(acme: Project, liar: Liar) -> None:
    role = (await acme.owner.post("/roles", {"name": "for-a-while", "permissions": []})).json
    await configure(acme, liar.issuer, CLIENT, role="for-a-while")
    assert (await acme.owner.delete(f"/roles/{role['id']}")).status == 204
    assert (await acme.owner.get("/projects/me/sso")).json["role"] is None


async def test_a_project_sees_and_ends_only_its_own(acme: Project, rival: Project, liar: Liar) -> None:
    await configure(acme, liar.issuer, CLIENT)
    for reply in (
        await rival.owner.get("/projects/me/sso"),
        await rival.owner.delete("/projects/me/sso"),
        await rival.owner.post("/projects/me/sso/test"),
    ):
        assert (reply.status, reply.code) == (404, "sso_not_configured")
    assert (await rival.owner.get("/projects/me")).json["ssoIssuer"] is None
    assert (await acme.owner.delete("/projects/me/sso")).status == 204
    assert (await acme.owner.get("/projects/me/sso")).status == 404


async def test_a_caller_of_the_sandbox_may_look_and_not_change(acme: Project, liar: Liar) -> None:
    await configure(acme, liar.issuer, CLIENT)
    assert (await acme.test_key.get("/projects/me/sso")).status == 200
    for reply in (
        await acme.test_key.put("/projects/me/sso", body(liar.issuer)),
        await acme.test_key.delete("/projects/me/sso"),
    ):
        assert (reply.status, reply.code) == (403, "live_object")


async def test_only_who_may_manage_the_project_sets_it_up(acme: Project, liar: Liar, api: Client) -> None:
    _, reader = await acme.new_key("project:read")
    for reply in (
        await reader.put("/projects/me/sso", body(liar.issuer)),
        await reader.delete("/projects/me/sso"),
        await reader.post("/projects/me/sso/test"),
    ):
        assert (reply.status, reply.code) == (403, "permission_missing")
    assert (await api.get("/projects/me/sso")).status == 401
    assert liar.calls == []


async def test_a_provider_that_is_away_is_said_to_be_away(api: Client, acme: Project) -> None:
    async with lying() as liar:
        await configure(acme, liar.issuer, CLIENT)
    reply = await api.get(f"/auth/sso/{acme.slug}/start")
    assert (reply.status, reply.code) == (503, "sso_provider_unreachable")
    assert "Retry-After" in reply.headers


async def test_under_https_only_this_host_may_set_the_cookie_and_no_plain_call_carries_it(
    posted: Posted, http: aiohttp.ClientSession, liar: Liar
) -> None:
    """The addresses are those of the configured public URL, whatever the Host header says."""
    project = await posted.sign_up("Secure")
    shown = await configure(project, liar.issuer, CLIENT)
    assert shown.json["redirectUri"] == f"{PUBLIC_URL}/api/v1/auth/sso/{project.slug}/callback"
    async with http.get(
        f"{posted.api.base}/api/v1/auth/sso/{project.slug}/start",
        allow_redirects=False,
        headers={"Host": "evil.example"},
    ) as answer:
        assert answer.status == 303
        (name, cookie), *more = answer.cookies.items()
        assert (name, cookie["path"], cookie["secure"], cookie["domain"], more) == (
            "__Host-tocsin-sso",
            "/",
            True,
            "",
            [],
        )
        assert URL(answer.headers["Location"]).query["redirect_uri"] == shown.json["redirectUri"]
