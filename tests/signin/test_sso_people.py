"""Who an identity is in the project, and whom an e-mail leads to (A5's rule, bad input 97)."""

import itertools
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import jwt
import pytest

from tests.client import PASSWORD, Client, Project, sign_up
from tests.mail.posted import Posted
from tests.signin.hostile import CLIENT, Liar, lying, refused, set_up
from tests.signin.providers import Browser, told
from tocsin.signin.sso.routes import s256

VERIFIER = "a-verifier-that-only-the-app-in-this-browser-knows"
TAKEN = (409, "sso_email_taken")

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def liar() -> AsyncIterator[Liar]:
    """One provider for the module, whose people differ; what it says is reset by ``says``."""
    async with lying() as issuer:
        yield issuer


@pytest.fixture(scope="module")
async def shop(api: Client) -> Project:
    return await sign_up(api, "Shop")


class Somebody:
    """A person at the provider, with an e-mail that nobody else has."""

    def __init__(self, liar: Liar, **claims: Any) -> None:
        self.email = f"somebody-{next(_numbers)}@people.example"
        self.subject = secrets.token_hex(6)
        self._liar = liar
        self.claims = {"sub": self.subject, "email": self.email, **claims}

    def steps_up(self, **claims: Any) -> None:
        self._liar.claims = {**self.claims, **claims}


@pytest.fixture
def somebody(liar: Liar) -> Somebody:
    new = Somebody(liar)
    new.steps_up()
    return new


async def signed_in(api: Client, chrome: Browser, project: Project, liar: Liar) -> Any:
    answer = await chrome.get(await liar.callback(chrome, project))
    assert answer.status == 303, await answer.text()
    reply = await api.post("/auth/sso/exchange", {"code": told(answer)["code"]})
    assert reply.status == 200, reply.json
    return reply.json


async def test_whom_an_admin_made_without_a_password_comes_in_by_their_email(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar, createUnknown=False)
    made = await shop.add_user(email=somebody.email, roles=["viewer"])
    answer = await signed_in(api, chrome, shop, liar)
    assert answer["user"]["id"] == made["id"]
    assert answer["user"]["roles"] == ["viewer"]


async def test_whom_an_admin_invited_comes_in_with_the_roles_of_the_invitation(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    project = await sign_up(api, "Invites")
    await set_up(project, liar, createUnknown=False)
    body = {"email": somebody.email, "roles": ["viewer"]}
    made = await project.owner.post("/invites", body)
    assert made.status == 201, made.json
    answer = await signed_in(api, chrome, project, liar)
    assert (answer["user"]["status"], answer["user"]["roles"]) == ("active", ["viewer"])
    (listed,) = (await project.owner.get("/invites")).json["items"]
    assert listed["state"] == "accepted"


async def test_an_invitation_that_was_withdrawn_lets_nobody_in(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    project = await sign_up(api, "Invites")
    await set_up(project, liar)
    made = (await project.owner.post("/invites", {"email": somebody.email, "roles": ["viewer"]})).json
    assert (await project.owner.delete(f"/invites/{made['id']}")).status == 204
    assert await refused(chrome, project, liar) == (403, "user_not_active")


async def test_after_that_the_subject_counts_and_not_the_email(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar, createUnknown=False)
    made = await shop.add_user(email=somebody.email)
    await signed_in(api, chrome, shop, liar)
    somebody.steps_up(email="moved@people.example")
    assert (await signed_in(api, chrome, shop, liar))["user"]["id"] == made["id"]
    somebody.steps_up(sub="another-subject")
    assert await refused(chrome, shop, liar) == TAKEN


async def test_an_email_the_provider_does_not_verify_leads_to_nobody(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar, createUnknown=False)
    await shop.add_user(email=somebody.email)
    somebody.steps_up(email_verified=False)
    assert await refused(chrome, shop, liar) == (403, "sso_unknown_person")


async def test_an_unverified_email_does_not_become_that_of_a_new_person(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    somebody.steps_up(email_verified=False)
    assert (await signed_in(api, chrome, shop, liar))["user"]["email"] is None


async def test_an_email_never_leads_to_somebody_with_a_password(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    project = await sign_up(api, "Owned", email=somebody.email)
    await set_up(project, liar)
    assert await refused(chrome, project, liar) == TAKEN


async def test_an_email_never_leads_to_somebody_with_an_external_id(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    await shop.add_user(email=somebody.email, externalUserId=somebody.subject)
    assert await refused(chrome, shop, liar) == TAKEN


async def test_an_email_never_leads_to_somebody_a_backend_vouches_for(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    claims = {"sub": secrets.token_hex(6), "email": somebody.email, "aud": shop.id, "jti": secrets.token_hex(8)}
    token = jwt.encode({**claims, "exp": int(time.time()) + 300}, shop.signed_up["identitySecrets"]["live"])
    assert (await shop.app.post("/users/register", {"identityToken": token})).status == 201
    assert await refused(chrome, shop, liar) == TAKEN


async def test_an_email_never_leads_to_somebody_who_registered_with_it_alone(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    """Who registers an e-mail of somebody else waits for its owner with a claim token in hand."""
    await set_up(shop, liar)
    assert (await shop.app.post("/users/register", {"email": somebody.email})).status == 201
    assert await refused(chrome, shop, liar) == TAKEN
    (found,) = (await shop.key.get("/users", search=somebody.email)).json["items"]
    assert (await shop.key.post(f"/users/{found['id']}/approve")).status == 200
    assert await refused(chrome, shop, liar) == TAKEN


async def test_an_email_of_the_sandbox_leads_to_nobody(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    """People of the test environment do not sign in: the same e-mail is somebody else live."""
    await set_up(shop, liar)
    made = await shop.add_user(email=somebody.email, env="test")
    assert (await signed_in(api, chrome, shop, liar))["user"]["id"] != made["id"]


async def test_the_provider_opens_no_account_above_whoever_set_it_up(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    """Else an admin could let a provider of their own vouch for an owner."""
    project = await sign_up(api, "Ranks")
    await project.owner.post("/users", {"email": somebody.email, "roles": ["owner"]})
    _, admin = await project.new_key("project:manage", "users:manage", "roles:manage")
    body = {"issuer": liar.issuer, **CLIENT, "returnUrls": ["https://app.example.com/"], "createUnknown": True}
    assert (await admin.put("/projects/me/sso", body)).status == 200
    assert await refused(chrome, project, liar) == (409, "sso_out_of_reach")
    await set_up(project, liar)
    assert (await signed_in(api, chrome, project, liar))["user"]["roles"] == ["owner"]


async def test_nobody_new_is_made_unless_the_project_says_so(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar, createUnknown=False)
    assert await refused(chrome, shop, liar) == (403, "sso_unknown_person")
    assert (await shop.key.get("/users", search=somebody.email)).json["items"] == []


@pytest.mark.parametrize("email", ["x@elsewhere.example", "x@people.example.evil.example", "x@sub.people.example"])
async def test_emails_of_other_domains_do_not_come_in(
    shop: Project, liar: Liar, chrome: Browser, somebody: Somebody, email: str
) -> None:
    await set_up(shop, liar, allowedDomains=["People.Example"])
    somebody.steps_up(email=email)
    assert await refused(chrome, shop, liar) == (403, "sso_domain_not_allowed")


async def test_a_domain_that_is_taken_away_ends_the_way_in(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar, allowedDomains=["people.example"])
    await signed_in(api, chrome, shop, liar)
    await set_up(shop, liar, allowedDomains=["others.example"])
    assert await refused(chrome, shop, liar) == (403, "sso_domain_not_allowed")


async def test_a_disabled_person_stays_out(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    made = await shop.add_user(email=somebody.email)
    await shop.key.put(f"/users/{made['id']}", {"status": "disabled"})
    assert await refused(chrome, shop, liar) == (403, "user_not_active")


async def test_a_subject_of_another_issuer_is_somebody_else(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    first = await signed_in(api, chrome, shop, liar)
    async with lying() as other:
        other.claims = {**somebody.claims, "email": None}
        await set_up(shop, other)
        assert (await signed_in(api, chrome, shop, other))["user"]["id"] != first["user"]["id"]
        other.claims = somebody.claims | {"sub": "new-there"}
        assert await refused(chrome, shop, other) == TAKEN


async def test_who_is_unlinked_by_an_admin_is_found_by_email_again(
    api: Client, shop: Project, rival: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    made = await signed_in(api, chrome, shop, liar)
    path = f"/users/{made['user']['id']}/sso"
    absent = await rival.key.delete("/users/00000000-0000-7000-8000-00000000dead/sso")
    foreign = await rival.key.delete(path)
    assert (absent.status, foreign.status) == (404, 404)
    assert {**absent.json, "requestId": None} == {**foreign.json, "requestId": None}
    assert (await shop.test_key.delete(path)).code == "live_object"
    assert (await shop.key.delete(path)).status == 204
    assert (await shop.key.delete(path)).status == 404
    somebody.steps_up(sub="the-new-subject")
    assert (await signed_in(api, chrome, shop, liar))["user"]["id"] == made["user"]["id"]


async def test_nobody_unlinks_somebody_who_may_more(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    project = await sign_up(api, "Ranks")
    await set_up(project, liar)
    await project.owner.post("/users", {"email": somebody.email, "roles": ["owner"]})
    made = await signed_in(api, chrome, project, liar)
    _, admin = await project.new_key("users:manage")
    reply = await admin.delete(f"/users/{made['user']['id']}/sso")
    assert (reply.status, reply.code) == (403, "role_not_allowed")


async def test_a_person_that_is_deleted_can_come_in_as_somebody_new(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    made = await signed_in(api, chrome, shop, liar)
    assert (await shop.key.delete(f"/users/{made['user']['id']}")).status == 204
    assert (await signed_in(api, chrome, shop, liar))["user"]["id"] != made["user"]["id"]


# A person who is signed in links the way in themselves.


async def begun_link(chrome: Browser, project: Project, liar: Liar, verifier: str = VERIFIER) -> str:
    """The code of a flow that proves an account, to be linked."""
    answer = await chrome.get(await liar.callback(chrome, project, purpose="link", challenge=s256(verifier)))
    assert answer.status == 303, await answer.text()
    assert told(answer)["purpose"] == "link"
    return told(answer)["code"]


async def test_somebody_with_a_password_links_themselves(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody, sql: asyncpg.Connection
) -> None:
    project = await sign_up(api, "Links")
    await set_up(project, liar, createUnknown=False)
    code = await begun_link(chrome, project, liar)
    reply = await project.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})
    assert (reply.status, reply.json["email"]) == (200, somebody.email)
    assert (await signed_in(api, chrome, project, liar))["user"]["email"] == project.email
    linked = await sql.fetchval(
        "SELECT count(*) FROM tocsin.audit_log WHERE project_id = $1 AND action = 'user.sso_linked'", project.id
    )
    assert linked == 1


async def test_linking_twice_changes_nothing_and_another_account_is_refused(
    api: Client, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    project = await sign_up(api, "Links")
    await set_up(project, liar, createUnknown=False)
    for _ in range(2):
        code = await begun_link(chrome, project, liar)
        assert (await project.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})).status == 200
    somebody.steps_up(sub="another-account")
    code = await begun_link(chrome, project, liar)
    reply = await project.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})
    assert (reply.status, reply.code) == (409, "sso_already_linked")


async def test_an_account_that_is_somebodys_is_linked_to_nobody_else(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    await signed_in(api, chrome, shop, liar)
    code = await begun_link(chrome, shop, liar)
    reply = await shop.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})
    assert (reply.status, reply.code) == (409, "sso_identity_taken")


async def test_a_planted_code_is_not_linked(shop: Project, liar: Liar, chrome: Browser, somebody: Somebody) -> None:
    """The attacker's account would open the victim's otherwise; the victim's app holds another verifier."""
    await set_up(shop, liar)
    code = await begun_link(chrome, shop, liar)
    reply = await shop.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER[::-1]})
    assert (reply.status, reply.code) == (401, "invalid_sso_code")


async def test_linking_without_a_challenge_is_not_begun(shop: Project, liar: Liar, api: Client) -> None:
    await set_up(shop, liar)
    reply = await api.get(f"/auth/sso/{shop.slug}/start", purpose="link")
    assert (reply.status, reply.pointers) == (422, ["/query/challenge"])


async def test_the_codes_of_signing_in_and_of_linking_are_not_each_other(
    api: Client, shop: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    link = await begun_link(chrome, shop, liar)
    exchanged = await api.post("/auth/sso/exchange", {"code": link, "verifier": VERIFIER})
    assert (exchanged.status, exchanged.code) == (401, "invalid_sso_code")
    answer = await chrome.get(await liar.callback(chrome, shop, challenge=s256(VERIFIER)))
    linked = await shop.owner.post("/auth/sso/link", {"code": told(answer)["code"], "verifier": VERIFIER})
    assert (linked.status, linked.code) == (401, "invalid_sso_code")


async def test_an_account_proven_for_one_project_is_linked_in_no_other(
    shop: Project, rival: Project, liar: Liar, chrome: Browser, somebody: Somebody
) -> None:
    await set_up(shop, liar)
    code = await begun_link(chrome, shop, liar)
    reply = await rival.owner.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})
    assert (reply.status, reply.code) == (401, "invalid_sso_code")


async def test_a_key_links_nothing(shop: Project, liar: Liar, chrome: Browser, somebody: Somebody) -> None:
    await set_up(shop, liar)
    _, key = await shop.new_key("own:manage")
    code = await begun_link(chrome, shop, liar)
    reply = await key.post("/auth/sso/link", {"code": code, "verifier": VERIFIER})
    assert (reply.status, reply.code) == (403, "not_a_user")


# Projects that refuse passwords.


@pytest.fixture
async def strict(api: Client) -> Project:
    """A project that requires single sign-on."""
    return await requiring(await sign_up(api, "Strict"))


async def requiring(project: Project) -> Project:
    reply = await project.owner.put("/projects/me/settings", {"security": {"requireSso": True}})
    assert reply.status == 200, reply.json
    return project


async def with_password(project: Project, sql: asyncpg.Connection, role: str) -> dict[str, str]:
    """Somebody with the owner's password, as `signup` would have stored it."""
    made = await project.add_user(roles=[role])
    await sql.execute(
        "UPDATE tocsin.users SET password_hash ="
        " (SELECT password_hash FROM tocsin.users WHERE project_id = $1 AND email = $3)"
        " WHERE project_id = $1 AND id = $2",
        project.id,
        made["id"],
        project.email,
    )
    return {"email": made["email"], "password": PASSWORD}


async def test_a_project_that_requires_single_sign_on_takes_no_password(
    api: Client, strict: Project, sql: asyncpg.Connection
) -> None:
    login = await with_password(strict, sql, "admin")
    reply = await api.post("/auth/login", login)
    assert (reply.status, reply.code) == (403, "sso_required")
    assert f"/auth/sso/{strict.slug}/start" in reply.json["detail"]


async def test_a_project_that_requires_single_sign_on_lets_nobody_in_by_an_invitation_and_a_password(
    posted: Posted,
) -> None:
    project = await posted.sign_up("Strict")
    reply = await project.owner.post("/invites", {"email": "asked@in.example", "roles": ["viewer"]})
    assert reply.status == 201, reply.json
    token = await posted.token("asked@in.example", "You are invited")
    await requiring(project)
    refused = await posted.api.post("/invites/accept", {"token": token, "password": PASSWORD})
    assert (refused.status, refused.code) == (403, "sso_required")
    assert (await project.owner.get("/invites")).json["items"][0]["state"] == "open"


async def test_a_wrong_password_is_not_told_that_single_sign_on_is_required(
    api: Client, strict: Project, sql: asyncpg.Connection
) -> None:
    login = await with_password(strict, sql, "admin")
    reply = await api.post("/auth/login", {**login, "password": "another password"})
    assert (reply.status, reply.code) == (401, "invalid_login")


async def test_owners_keep_their_password_to_repair_what_is_broken(api: Client, strict: Project) -> None:
    assert (await api.post("/auth/login", {"email": strict.email, "password": PASSWORD})).status == 200


async def test_passwords_count_where_single_sign_on_is_not_required(
    api: Client, shop: Project, sql: asyncpg.Connection
) -> None:
    assert (await api.post("/auth/login", await with_password(shop, sql, "admin"))).status == 200
