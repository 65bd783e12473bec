"""The whole way through a certified provider's own pages, with a browser that keeps cookies (A4)."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.client import Client, Project
from tests.signin.providers import APP, OTHER_APP, Browser, Provider, browser, configure, refusal, told
from tocsin.signin.sso.routes import s256

VERIFIER = "a-verifier-that-only-the-app-in-this-browser-knows"


async def exchange(api: Client, said: dict[str, str], **more: str) -> Any:
    reply = await api.post("/auth/sso/exchange", {"code": said["code"], **more})
    assert reply.status == 200, reply.json
    return reply.json


async def test_somebody_new_comes_in_with_the_role_of_new_people(
    api: Client, linked_up: Project, chrome: Browser
) -> None:
    said = await chrome.arrive(linked_up.slug, "ann")
    answer = await exchange(api, said)
    assert answer["user"]["email"] == "ann@known.example"
    assert answer["user"]["name"] == "Ann at the provider"
    assert answer["user"]["roles"] == ["agent"]
    assert answer["project"]["id"] == linked_up.id
    me = await api.with_token(answer["tokens"]["accessToken"]).get("/auth/me")
    assert me.json["user"]["id"] == answer["user"]["id"]


async def test_the_same_person_comes_in_again_as_the_same_user(
    api: Client, linked_up: Project, chrome: Browser
) -> None:
    first = await exchange(api, await chrome.arrive(linked_up.slug, "person-1"))
    async with browser(api) as elsewhere:
        again = await exchange(api, await elsewhere.arrive(linked_up.slug, "person-1"))
    assert again["user"]["id"] == first["user"]["id"]


async def test_no_token_stands_in_any_address_and_nothing_is_kept_by_caches(
    api: Client, linked_up: Project, chrome: Browser
) -> None:
    answer = await chrome.get(await chrome.sign_in(linked_up.slug, "person-2"))
    assert set(told(answer)) == {"code"}
    assert answer.headers["Location"].startswith(f"{APP}?code=sc_")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    await exchange(api, told(answer))


async def test_the_provider_is_asked_with_pkce_state_and_nonce(linked_up: Project, chrome: Browser) -> None:
    answer = await chrome.start(linked_up.slug)
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert min(len(asked[name][0]) for name in ("state", "nonce")) >= 43
    assert asked["response_type"] == ["code"]
    assert "openid" in asked["scope"][0].split()


async def test_the_flow_is_bound_to_the_browser_by_a_short_lived_cookie(linked_up: Project, chrome: Browser) -> None:
    await chrome.start(linked_up.slug)
    (cookie,) = chrome.cookies[0].values()
    assert cookie["httponly"] and cookie["samesite"] == "lax"
    assert int(cookie["max-age"]) == 600
    assert cookie["path"] == f"/api/v1/auth/sso/{linked_up.slug}/callback"


async def test_the_app_chooses_among_the_return_addresses_that_are_set(linked_up: Project, chrome: Browser) -> None:
    answer = await chrome.get(await chrome.sign_in(linked_up.slug, "person-3", returnTo=OTHER_APP))
    assert answer.headers["Location"].startswith(f"{OTHER_APP}&code=sc_")


async def test_no_other_address_is_returned_to(linked_up: Project, chrome: Browser) -> None:
    for evil in ("https://evil.example/", "//evil.example", "/\\evil.example", f"{APP}.evil.example", f"{APP}/..", ""):
        answer = await chrome.start(linked_up.slug, returnTo=evil)
        problem = json.loads(await answer.text())
        assert (answer.status, problem["errors"][0]["code"]) == (422, "return_url_not_allowed"), evil
        assert "Location" not in answer.headers


async def test_a_code_is_exchanged_once(api: Client, linked_up: Project, chrome: Browser) -> None:
    said = await chrome.arrive(linked_up.slug, "person-4")
    await exchange(api, said)
    again = await api.post("/auth/sso/exchange", {"code": said["code"]})
    assert (again.status, again.code) == (401, "invalid_sso_code")


async def test_a_code_is_nothing_without_the_verifier_of_its_challenge(
    api: Client, linked_up: Project, chrome: Browser
) -> None:
    """Also a planted code: the app of the victim holds another verifier."""
    said = await chrome.arrive(linked_up.slug, "person-5", challenge=s256(VERIFIER))
    for wrong in ({}, {"verifier": VERIFIER[::-1]}):
        reply = await api.post("/auth/sso/exchange", {"code": said["code"], **wrong})
        assert (reply.status, reply.code) == (401, "invalid_sso_code")
    await exchange(api, said, verifier=VERIFIER)


async def test_a_made_up_code_is_refused(api: Client) -> None:
    for code in ("sc_", "sc_AAAA", "", "sc_" + "A" * 200, "\u00e4", "sc_A" * 900):
        reply = await api.post("/auth/sso/exchange", {"code": code})
        assert (reply.status, reply.code) == (401, "invalid_sso_code"), code


async def test_the_code_of_somebody_blocked_meanwhile_is_refused(
    api: Client, linked_up: Project, chrome: Browser
) -> None:
    first = await exchange(api, await chrome.arrive(linked_up.slug, "person-6"))
    said = await chrome.arrive(linked_up.slug, "person-6")
    await linked_up.key.put(f"/users/{first['user']['id']}", {"status": "disabled"})
    reply = await api.post("/auth/sso/exchange", {"code": said["code"]})
    assert (reply.status, reply.code) == (401, "invalid_sso_code")
    assert await refusal(chrome, await chrome.sign_in(linked_up.slug, "person-6")) == (403, "user_not_active")


async def test_a_callback_in_another_browser_is_refused(api: Client, linked_up: Project, chrome: Browser) -> None:
    """Login CSRF: the attacker's callback address, opened by the victim."""
    planted = await chrome.sign_in(linked_up.slug, "person-7")
    async with browser(api) as victim:
        assert await refusal(victim, planted) == (400, "sso_state_invalid")
        await victim.start(linked_up.slug)
        assert await refusal(victim, planted) == (400, "sso_state_invalid")


async def test_a_callback_counts_once(linked_up: Project, chrome: Browser) -> None:
    url = await chrome.sign_in(linked_up.slug, "person-8")
    cookie = chrome.cookies[-1]
    assert (await chrome.get(url)).status == 303
    chrome.session.cookie_jar.update_cookies(cookie)
    assert await refusal(chrome, url) == (400, "sso_state_invalid")


async def test_a_callback_with_no_or_another_state_is_refused(linked_up: Project, chrome: Browser) -> None:
    url = await chrome.sign_in(linked_up.slug, "person-9")
    state = parse_qs(urlsplit(url).query)["state"][0]
    for spoiled in (url.replace(state, state[::-1]), url.replace(f"state={state}", "x=y"), url.replace(state, "")):
        assert await refusal(chrome, spoiled) == (400, "sso_state_invalid")
    assert (await chrome.get(url)).status == 303


async def test_a_flow_of_one_project_ends_in_no_other(
    api: Client, linked_up: Project, rival: Project, provider: Provider, chrome: Browser
) -> None:
    client = await provider.register(rival)
    await configure(rival, provider.issuer, client, createUnknown=True)
    begun = await chrome.start(linked_up.slug)
    url = await chrome.log_in(begun.headers["Location"], "person-10")
    moved = url.replace(f"/{linked_up.slug}/", f"/{rival.slug}/")
    sent = {"Cookie": f"tocsin-sso={chrome.cookies[-1]['tocsin-sso'].value}"}
    async with api.http.get(moved, headers=sent, allow_redirects=False) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "sso_state_invalid")
    people = (await rival.key.get("/users", limit=200)).json["items"]
    assert not [person for person in people if person["email"] == "person-10@known.example"]


async def test_two_projects_at_one_provider_know_the_same_person_apart(
    api: Client, linked_up: Project, rival: Project, provider: Provider, chrome: Browser
) -> None:
    await configure(rival, provider.issuer, await provider.register(rival), createUnknown=True)
    here = await exchange(api, await chrome.arrive(linked_up.slug, "person-11"))
    there = await exchange(api, await chrome.arrive(rival.slug, "person-11"))
    assert here["project"]["id"] == linked_up.id and there["project"]["id"] == rival.id
    assert here["user"]["id"] != there["user"]["id"]
    assert (await rival.key.get(f"/users/{here['user']['id']}")).status == 404


async def test_what_the_provider_refuses_is_told_and_a_browser_is_taken_back_to_the_app(
    linked_up: Project, chrome: Browser
) -> None:
    state = parse_qs(urlsplit((await chrome.start(linked_up.slug)).headers["Location"]).query)["state"][0]
    back = f"{chrome.base}/api/v1/auth/sso/{linked_up.slug}/callback"
    chrome.accept = "text/html,application/xhtml+xml"
    answer = await chrome.get(f"{back}?error=access_denied&error_description=not%0Atoday&state={state}&session_state=1")
    assert answer.status == 303
    assert answer.headers["Location"].startswith(f"{APP}?error=sso_refused&")
    assert told(answer)["error_description"] == "The provider refused: access_denied: not today"


async def test_a_code_that_the_provider_does_not_know_is_refused(linked_up: Project, chrome: Browser) -> None:
    url = await chrome.sign_in(linked_up.slug, "person-12")
    code = parse_qs(urlsplit(url).query)["code"][0]
    assert await refusal(chrome, url.replace(code, code[::-1])) == (401, "sso_refused")


async def test_codes_of_providers_may_look_like_tokens(linked_up: Project, chrome: Browser) -> None:
    """A secret in an address is refused everywhere else; some providers' codes are encrypted tokens."""
    url = await chrome.sign_in(linked_up.slug, "person-13")
    code = parse_qs(urlsplit(url).query)["code"][0]
    looks_secret = f"eyJ{'a' * 12}.{'b' * 20}.{'c' * 20}"
    assert await refusal(chrome, url.replace(code, looks_secret)) == (401, "sso_refused")


async def test_an_answer_that_names_another_issuer_is_refused(linked_up: Project, chrome: Browser) -> None:
    """Mix-up (RFC 9207): this provider announces that it names itself, so leaving that out is refused as well."""
    url = await chrome.sign_in(linked_up.slug, "person-14")
    iss = urlsplit(url).query.split("iss=")[1].split("&")[0]
    assert await refusal(chrome, url.replace(iss, "https%3A%2F%2Fevil.example")) == (401, "sso_wrong_issuer")
    url = await chrome.sign_in(linked_up.slug, "person-14")
    assert await refusal(chrome, url.replace(f"iss={iss}", "x=y")) == (401, "sso_wrong_issuer")


async def test_a_project_without_single_sign_on_and_no_project_are_answered_alike(
    api: Client, linked_up: Project
) -> None:
    other = await api.get("/auth/sso/no-such-project/start")
    without = await api.get("/auth/sso/platform/start")
    assert (other.status, other.code) == (404, "sso_not_configured")
    assert {**other.json, "requestId": None} == {**without.json, "requestId": None}


async def test_single_sign_on_that_is_switched_off_begins_nothing(
    api: Client, provider: Provider, chrome: Browser, rival: Project
) -> None:
    client = await provider.register(rival)
    await configure(rival, provider.issuer, client, createUnknown=True)
    url = await chrome.sign_in(rival.slug, "person-15")
    await configure(rival, provider.issuer, client, enabled=False)
    assert await refusal(chrome, url) == (404, "sso_not_configured")
    assert (await api.get(f"/auth/sso/{rival.slug}/start")).status == 404


async def test_a_flow_begun_under_other_settings_is_over(provider: Provider, chrome: Browser, rival: Project) -> None:
    await configure(rival, provider.issuer, await provider.register(rival), createUnknown=True)
    url = await chrome.sign_in(rival.slug, "person-16")
    await configure(rival, provider.issuer, await provider.register(rival), createUnknown=True)
    assert await refusal(chrome, url) == (400, "sso_state_invalid")


async def test_signing_in_is_on_the_record(
    api: Client, linked_up: Project, chrome: Browser, sql: asyncpg.Connection
) -> None:
    answer = await exchange(api, await chrome.arrive(linked_up.slug, "person-17"))
    rows = await sql.fetch(
        "SELECT action, actor_id, metadata FROM tocsin.audit_log WHERE project_id = $1 AND resource_id = $2"
        " ORDER BY id",
        linked_up.id,
        answer["user"]["id"],
    )
    assert [row["action"] for row in rows] == ["user.created", "user.sso_linked", "user.signed_in"]
    assert {row["actor_id"] for row in rows} == {answer["user"]["id"]}
    assert "person-17" in rows[1]["metadata"]
