"""How each operation is called rightly, in an order in which each still works after those before it.

A case names the kinds of the ids in its path; where the call uses a thing up, it makes one first. ``by`` is who
calls: a caller of ``actors.own``. An ``Id`` anywhere in query, headers or body is a place where a foreign one is tried.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any
from uuid import UUID

from pydantic.alias_generators import to_camel
from yarl import URL

from tests.client import PASSWORD
from tests.connections.build import LOGIN, MAIL
from tests.contract.endpoints import ALL
from tests.hosted import publish
from tests.inbound.bots import bot_token
from tests.isolation.matrix import seeds
from tests.isolation.matrix.places import Ask, Id
from tests.isolation.matrix.seeds import Scene
from tests.signin.hostile import CLIENT, came_back
from tests.sounds.library import AS_FORM, form
from tocsin.connections.phone_codes import number_hashes
from tocsin.kit.ids import new_id
from tocsin.kit.vault import Vault
from tocsin.signin.sso.routes import s256

Made = Any | Awaitable[Any]
Maker = Callable[[Scene], Made]

CODE = "<code>"
"""Filled in by the actors who have one when they call, for it is good for a minute."""

OPERATIONS = {str(operation): operation for operation in ALL}


@dataclass(frozen=True)
class Case:
    """A call of one operation that its own project makes with success."""

    operation: str
    path: Mapping[str, str | Maker] = field(default_factory=dict)
    query: Maker | None = None
    body: Maker | None = None
    by: str = "owner"
    headers: Maker | None = None
    fleeting: bool = False
    """Whether what it carries is over within a minute, and so is made anew when the call is to succeed."""

    def __str__(self) -> str:
        return self.operation

    async def ask(self, scene: Scene) -> Ask:
        """The call, with ids of the scene's project."""
        described = OPERATIONS[self.operation]
        path = {name: await self._id(scene, kind) for name, kind in self.path.items()}
        query = await _made(self.query, scene) if self.query else {}
        body = await _made(self.body, scene) if self.body else None
        headers = await _made(self.headers, scene) if self.headers else {}
        return Ask(described.method, described.template, path, query, headers, body)

    async def _id(self, scene: Scene, kind: "str | Maker") -> Id:
        found = scene.id(kind) if isinstance(kind, str) else await _made(kind, scene)
        assert isinstance(found, Id)
        return found


async def _made(maker: Maker, scene: Scene) -> Any:
    made = maker(scene)
    return await made if isawaitable(made) else made


def case(
    operation: str,
    by: str = "owner",
    query: Maker | None = None,
    body: Maker | None = None,
    headers: Maker | None = None,
    fleeting: bool = False,
    **path: Any,
) -> Case:
    return Case(operation, path, query, body, by, headers, fleeting)


def _word() -> str:
    return secrets.token_hex(5)


async def _lost_user(s: Scene) -> Id:
    return s.fresh("user", await s.project.add_user())


async def _lost_pending(s: Scene) -> Id:
    return s.fresh("pending", await seeds.pending(s))


async def _lost_address(s: Scene) -> Id:
    body = {"channel": "email", "value": f"{_word()}@example.com"}
    return s.fresh("address", await s.make(f"/users/{s.ids['user']}/addresses", body))


async def _lost_sound(s: Scene) -> Id:
    made = await s.project.owner.send("POST", "/sounds", form(f"sound_{_word()}"), headers=AS_FORM)
    return s.fresh("sound", made.json)


async def _lost_role(s: Scene) -> Id:
    return s.fresh("role", await s.make("/roles", {"name": _word(), "permissions": []}))


async def _lost_rule(s: Scene) -> Id:
    return s.fresh("rule", await s.make("/rules", seeds.rule(s)))


async def _lost_event_type(s: Scene) -> Id:
    return s.fresh("event type", await s.make("/event-types", {"name": f"made.{_word()}"}))


def _drafted_template(s: Scene) -> Any:
    words = seeds.wording(s)
    return {name: words[name] for name in ("kind", "name", "subject", "body")} | {"eventId": s.id("event")}


async def _lost_template(s: Scene) -> Id:
    return s.fresh("template", await seeds.worded(s, name=_word()))


async def _lost_connection(s: Scene) -> Id:
    body = {"provider": "webhook", "name": _word(), "settings": {"url": s.hook_url}}
    return s.fresh("connection", await s.make("/connections", body))


async def _lost_meta_app(s: Scene) -> Id:
    return s.fresh("meta app", await s.make("/meta-apps", {"name": _word(), "appSecret": _SECRET}))


_SECRET = "a secret of Meta's"


async def _bot(s: Scene) -> Id:
    body = {"provider": "telegram", "name": _word(), "credentials": {"botToken": bot_token()}}
    return s.fresh("connection", await s.make("/connections", body))


async def _phone(s: Scene) -> dict[str, str]:
    """A number that nobody has proven, and a connection as it is after it was verified, and before it is checked."""
    settings = {"url": s.hook_url, "accountSid": f"AC{_word()}", "sender": "Acme"}
    body = {"provider": "twilio", "name": _word(), "settings": settings, "credentials": {"authToken": _SECRET}}
    made = await s.make("/connections", body)
    await s.working.sql.execute(
        "UPDATE tocsin.connections SET status = 'active', next_check_at = now() + interval '1 day' WHERE id = $1",
        made["id"],
    )
    return {"value": f"+43660{secrets.randbelow(10**8):08d}"}


async def _phone_code(s: Scene) -> dict[str, str]:
    """A code that is open, as if it had been sent."""
    id_, number, code = new_id(), f"+43660{secrets.randbelow(10**8):08d}", "042137"
    vault = Vault(s.working.site.master)
    await s.working.sql.execute(
        "INSERT INTO tocsin.phone_codes (project_id, id, env, user_id, number_hash, code_hash, expires_at)"
        " VALUES ($1, $2, 'live', $3, $4, $5, now() + interval '10 minutes')",
        s.project.id,
        id_,
        s.ids["user"],
        number_hashes(vault, UUID(s.project.id), number)[0],
        vault.fingerprints("phone codes", f"{id_}:{code}")[0],
    )
    return {"value": number, "code": code}


async def _told_to_stop(s: Scene) -> dict[str, Any]:
    """A bot that the person said `/stop` to, as it is noted then."""
    bot, chat = await _bot(s), str(10**9 + secrets.randbelow(10**9))
    await s.make(f"/users/{s.ids['user']}/addresses", {"channel": "telegram", "value": chat})
    await s.working.sql.execute(
        "INSERT INTO tocsin.reachability (project_id, connection_id, address_hash, state, connection_project, env)"
        " VALUES ($1, $2, sha256(convert_to($3, 'UTF8')), 'opted_out', $1, 'live')",
        s.project.id,
        str(bot),
        chat,
    )
    return {"connectionId": bot, "address": chat, **_REASON}


async def _link(s: Scene) -> dict[str, Id]:
    """To a bot as it is after it was verified."""
    bot = await _bot(s)
    await s.working.sql.execute(
        "UPDATE tocsin.connections SET status = 'active', account = $2 WHERE id = $1",
        str(bot),
        '{"id": "7", "name": "@acme_bot"}',
    )
    return {"connectionId": bot}


async def _lost_endpoint(s: Scene) -> Id:
    return s.fresh("webhook endpoint", await s.make("/webhook-endpoints", seeds.listening(s)))


async def _lost_message(s: Scene) -> Id:
    return s.fresh("webhook message", await seeds.webhook_message(s))


async def _platform_connection(s: Scene) -> Id:
    """In the sandbox, where it lends itself to nobody's deliveries."""
    reply = await s.operator.send("POST", "/platform/connections", _mail(s), headers=_sandbox(s))
    return s.fresh("connection", seeds.created(reply))


def _mail(s: Scene) -> dict[str, Any]:
    return {"provider": "smtp", "name": _word(), "settings": MAIL, "credentials": LOGIN}


def _sandbox(s: Scene) -> dict[str, str]:
    return {"X-Tocsin-Env": "test"}


async def _stopped_connection(s: Scene) -> Id:
    made = await _lost_connection(s)
    reply = await s.project.owner.send("PATCH", f"/connections/{made}/suspend", _REASON)
    assert reply.status == 200, reply.json
    return made


async def _lost_destination(s: Scene) -> Id:
    body = {"name": _word(), "address": "orders"}
    return s.fresh("destination", await s.make(f"/connections/{s.ids['topics']}/destinations", body))


async def _lost_key(s: Scene) -> Id:
    return s.fresh("key", (await s.project.new_key("events:write"))[0])


async def _lost_session(s: Scene) -> Id:
    """Of the person, who needs the one they call with."""
    made = await s.working.sql.fetchval(
        "INSERT INTO tocsin.sessions (project_id, id, user_id, nonce, expires_at)"
        " VALUES ($1, $2, $3, '', now() + interval '1 day') RETURNING id::text",
        s.ids["project"],
        new_id(),
        s.ids["user"],
    )
    return s.fresh("session", made)


async def _lost_refresh(s: Scene) -> dict[str, str]:
    return {"refreshToken": (await _login(s))["tokens"]["refreshToken"]}


async def _login(s: Scene) -> Any:
    reply = await s.working.api.post("/auth/login", _credentials(s))
    assert reply.status == 200, reply.json
    return reply.json


def _credentials(s: Scene) -> dict[str, Any]:
    return {"email": s.project.email, "password": PASSWORD, "project": s.id("slug")}


async def _claim(s: Scene) -> dict[str, str]:
    email = f"{_word()}@example.com"
    reply = await s.project.app.post("/users/register", {"email": email})
    (found,) = (await s.project.owner.get("/users", search=email)).json["items"]
    assert (await s.project.owner.post(f"/users/{found['id']}/approve")).status == 200
    return {"claimToken": reply.json["claimToken"]}


def _admin(s: Scene) -> dict[str, Any]:
    return {"email": f"{_word()}@operator.example", "role": "support"}


async def _invited(s: Scene) -> Any:
    reply = await s.operator.post("/platform/admins", _admin(s))
    assert reply.status == 201, reply.json
    return reply.json


async def _lost_admin(s: Scene) -> Id:
    """Instead of an admin others are tried as users: nobody else's admins exist."""
    return s.fresh("user", await _invited(s))


async def _lost_link(s: Scene) -> dict[str, str]:
    return {"token": (await _invited(s))["setupUrl"].rpartition("#")[2], "password": PASSWORD}


async def _admin_login(s: Scene) -> dict[str, str]:
    invited = await _invited(s)
    setup = {"token": invited["setupUrl"].rpartition("#")[2], "password": PASSWORD}
    assert (await s.working.api.post("/platform/setup", setup)).status == 200
    return {"email": invited["email"], "password": PASSWORD}


async def _open_claim(s: Scene) -> dict[str, str]:
    reply = await s.project.app.post("/users/register", {"email": f"{_word()}@example.com"})
    return {"claimToken": reply.json["claimToken"]}


async def _lost_invite(s: Scene) -> Id:
    return s.fresh("invite", await s.make("/invites", {"email": f"{_word()}@example.com"}))


async def _invitation(s: Scene) -> dict[str, str]:
    email = f"{_word()}@example.com"
    await s.make("/invites", {"email": email})
    return {"token": await seeds.link(s, email), "password": PASSWORD}


async def _reset(s: Scene) -> dict[str, str]:
    """A link for a new password of somebody who came by an invitation."""
    email = f"{_word()}@example.com"
    await s.make("/invites", {"email": email})
    token = await seeds.link(s, email)
    assert (await s.working.api.post("/invites/accept", {"token": token, "password": PASSWORD})).status == 200
    assert (await s.working.api.post("/auth/password/forgot", {"email": email})).status == 202
    return {"token": await seeds.link(s, email, "reset_password"), "password": PASSWORD}


async def _proof(s: Scene) -> dict[str, str]:
    return {"token": await seeds.link(s, s.project.email, "verify_email")}


def _draft(s: Scene) -> dict[str, Any]:
    return {"rule": seeds.rule(s), "event": {"type": "order.created", "payload": {"note": "x"}}}


def _signup(s: Scene) -> dict[str, Any]:
    return {"email": f"{_word()}@example.com", "password": PASSWORD, "projectName": "Another"}


def _event(s: Scene) -> dict[str, Any]:
    return {"type": "order.created", "payload": {"userId": s.id("external id")}}


async def _same_plans(s: Scene) -> dict[str, Any]:
    rows = await s.working.sql.fetch(
        "SELECT name, label, monthly_price_cents, quotas, features, support FROM tocsin.plan_catalogue()"
    )
    return {"plans": [{**_camel(dict(row)), "quotas": json.loads(row["quotas"])} for row in rows]}


def _camel(row: dict[str, Any]) -> dict[str, Any]:
    return {to_camel(name): value for name, value in row.items()}


def _sso(s: Scene) -> dict[str, Any]:
    return {"issuer": s.issuer, **CLIENT, "returnUrls": [f"{s.issuer}/app"], "createUnknown": True}


async def _sso_slug(s: Scene) -> Id:
    """The slug of a project with single sign-on; the others have none, and look like none."""
    reply = await s.project.owner.put("/projects/me/sso", _sso(s))
    assert reply.status == 200, reply.json
    return s.id("slug")


async def _sso_come_back(s: Scene) -> dict[str, str]:
    """The query of a callback; its cookie is kept for ``_sso_cookie``."""
    location, cookie = await _sso_begun(s)
    s.ids["sso cookie"] = cookie
    return dict(URL(came_back(location)).query)


async def _sso_begun(s: Scene, **query: str) -> tuple[str, str]:
    url = URL(f"{s.working.api.base}/api/v1/auth/sso/{await _sso_slug(s)}/start").with_query(query)
    async with s.working.api.http.get(url, allow_redirects=False) as answer:
        return answer.headers["Location"], f"tocsin-sso={answer.cookies['tocsin-sso'].value}"


async def _sso_code(s: Scene, **query: str) -> dict[str, str]:
    location, cookie = await _sso_begun(s, **query)
    back = URL(came_back(location), encoded=True)
    async with s.working.api.http.get(back, allow_redirects=False, headers={"Cookie": cookie}) as answer:
        return {"code": URL(answer.headers["Location"]).query["code"]}


async def _sso_link(s: Scene) -> dict[str, str]:
    """The owner is linked already, so that the flows after this are theirs; linking again changes nothing."""
    first, again = [await _sso_link_code(s) for _ in range(2)]
    reply = await s.project.owner.post("/auth/sso/link", first)
    assert reply.status == 200, reply.json
    return again


async def _sso_link_code(s: Scene) -> dict[str, str]:
    verifier = secrets.token_urlsafe(40)
    return {**await _sso_code(s, purpose="link", challenge=s256(verifier)), "verifier": verifier}


async def _sso_linked(s: Scene) -> Id:
    """A user who came by single sign-on, whom the project's own provider called something else then."""
    user = await s.project.add_user()
    await s.working.sql.execute(
        "INSERT INTO tocsin.user_identities (project_id, issuer, subject, user_id) VALUES ($1, $2, $3, $4)",
        s.project.id,
        s.issuer,
        _word(),
        user["id"],
    )
    return s.fresh("user", user)


async def _domain(s: Scene) -> dict[str, str]:
    """A name whose records are set already; claiming it again answers the same."""
    body = {"domain": f"alerts.{s.project.slug}.example"}
    assert s.working.dns is not None
    publish(s.working.dns, await s.make("/projects/me/domain", body))
    return body


async def _lost_visit(s: Scene) -> Id:
    reply = await s.operator.post(f"/platform/projects/{s.project.id}/login-as", _REASON)
    return s.fresh("visit", seeds.created(reply))


_REASON = {"reason": "Ticket 4711"}


CASES = (
    case("sign_up", by="nobody", body=_signup),
    case("sign_in", by="nobody", body=_credentials),
    case("refresh_tokens", by="nobody", body=_lost_refresh),
    case("read_me", by="person"),
    case("list_own_sessions", by="person"),
    case("list_user_sessions", user_id="user"),
    case("end_user_session", user_id="user", session_id=_lost_session),
    case("end_own_session", by="person", session_id=_lost_session),
    case("end_other_sessions", by="person"),
    case("end_user_sessions", user_id=_lost_user),
    case("enrol_second_factor", by="person"),
    case("confirm_second_factor", by="enrolled", body=lambda s: {"code": CODE}),
    case("renew_recovery_codes", by="protected", body=lambda s: {"code": CODE}),
    case("disable_second_factor", by="protected, too", body=lambda s: {"code": CODE}),
    case("reset_second_factor", user_id=_lost_user),
    case("resend_verification"),
    case("verify_email", by="nobody", body=_proof),
    case("change_email", body=lambda s: {"email": f"{_word()}@example.com", "password": PASSWORD}),
    case("forgot_password", by="nobody", body=lambda s: {"email": f"{_word()}@example.com"}),
    case("reset_password", by="nobody", body=_reset),
    case("register_user", by="app", body=lambda s: {"email": f"{_word()}@example.com"}),
    case("claim_registration", by="app", body=_claim),
    case("resend_registration", by="app", body=_open_claim),
    case("create_invite", body=lambda s: {"email": f"{_word()}@example.com", "roles": [s.id("role name")]}),
    case("invite_user", user_id=_lost_user),
    case("list_invites"),
    case("withdraw_invite", invite_id=_lost_invite),
    case("accept_invite", by="nobody", body=_invitation),
    case("list_mails"),
    case("read_mail", mail_id="mail"),
    case("read_project"),
    case("change_project", body=lambda s: {"description": "changed"}),
    case("read_usage"),
    case("list_plans", by="operator"),
    case("change_plans", by="operator", body=_same_plans),
    case("list_usage", by="operator"),
    case("read_branding"),
    case("change_branding", body=lambda s: {"accent": "#123456"}),
    case("read_compliance"),
    case("change_compliance", body=lambda s: {"retentionDays": {"events": 30}}),
    case("claim_domain", body=_domain),
    case("read_domain"),
    case("verify_domain"),
    case("ask_domain", by="nobody", query=lambda s: {"domain": f"alerts.{s.project.slug}.example"}),
    case("remove_domain"),
    case("log_in_as", by="operator", project_id="project", body=lambda s: _REASON),
    case("list_visits", by="operator"),
    case("read_visit", by="operator", visit_id="visit"),
    case("list_visits_here"),
    case("end_visit", by="operator", visit_id=_lost_visit),
    case("list_audit", query=lambda s: {"actorId": s.id("user"), "resourceId": s.id("rule")}),
    case("export_audit", query=lambda s: {"resourceId": s.id("rule"), "format": "jsonl"}),
    case("read_audit", entry_id="audit"),
    case("list_permissions"),
    case("list_keys"),
    case("create_key", body=lambda s: {"name": _word(), "permissions": ["events:write"]}),
    case("read_key", key_id="key"),
    case("update_key", key_id="key", body=lambda s: {"name": _word()}),
    case("rotate_key", key_id=_lost_key, body=lambda s: {}),
    case("rotate_identity_secret", body=lambda s: {"env": "live"}),
    case("rotate_realtime_secret", body=lambda s: {"env": "live"}),
    case("read_settings"),
    case("update_settings", body=lambda s: {"timezone": "Europe/Vienna"}),
    case("list_roles"),
    case("create_role", body=lambda s: {"name": _word(), "permissions": []}),
    case("read_role", role_id="role"),
    case("change_role", role_id="role", body=lambda s: {"description": "changed"}),
    case("list_users"),
    case("create_user", body=lambda s: {"email": f"{_word()}@example.com", "roles": [s.id("role name")]}),
    case("sync_users", by="key", body=lambda s: {"users": [{"externalUserId": _word(), "roles": [s.id("role name")]}]}),
    case("read_user", user_id="user"),
    case("change_user", user_id="user", body=lambda s: {"roles": [s.id("role name")]}),
    case("approve_user", user_id=_lost_pending),
    case("read_preferences", user_id="user"),
    case("list_topics"),
    case("change_preferences", user_id="user", body=lambda s: {"fallback": {"email": True}}),
    case("list_addresses", user_id="user"),
    case("add_address", user_id="user", body=lambda s: {"channel": "email", "value": f"{_word()}@example.com"}),
    case("list_providers"),
    case("list_connections", query=lambda s: {"userId": s.id("user")}),
    case("create_connection", body=lambda s: {"provider": "webhook", "name": _word(), "settings": {"url": s.hook_url}}),
    case("read_connection", connection_id="connection"),
    case("change_connection", connection_id="connection", body=lambda s: {"name": _word()}),
    case("verify_connection", connection_id="connection", body=lambda s: {}),
    case("rotate_connection", connection_id="connection", body=lambda s: {}),
    case("list_meta_apps"),
    case("create_meta_app", body=lambda s: {"name": _word(), "appSecret": _SECRET, "connectionIds": [s.id("number")]}),
    case("read_meta_app", app_id="meta app"),
    case("change_meta_app", app_id="meta app", body=lambda s: {"connectionIds": []}),
    case("regenerate_meta_app", app_id="meta app"),
    case("delete_meta_app", app_id=_lost_meta_app),
    case("read_setup", connection_id="connection"),
    case("regenerate_webhook", connection_id=_bot),
    case("list_chats", connection_id="connection"),
    case("list_templates", connection_id="connection"),
    case("link_telegram", user_id="user", body=_link),
    case("send_phone_code", user_id="user", body=_phone),
    case("list_opt_outs", user_id="user"),
    case("lift_opt_out", user_id="user", body=_told_to_stop, fleeting=True),
    case("verify_phone", user_id="user", body=_phone_code, fleeting=True),
    case("list_webhook_endpoints"),
    case("create_webhook_endpoint", body=lambda s: seeds.listening(s)),
    case("read_webhook_endpoint", endpoint_id="webhook endpoint"),
    case("change_webhook_endpoint", endpoint_id="webhook endpoint", body=lambda s: {"description": _word()}),
    case("test_webhook_endpoint", endpoint_id="webhook endpoint"),
    case("rotate_webhook_secret", endpoint_id="webhook endpoint", body=lambda s: {}),
    case("recover_webhook_endpoint", endpoint_id=_lost_endpoint, body=lambda s: {"since": "2026-01-01T00:00:00Z"}),
    case("list_webhook_logs", query=lambda s: {"endpointId": s.id("webhook endpoint")}),
    case("read_webhook_log", log_id="webhook message"),
    case("replay_webhook", log_id=_lost_message),
    case("delete_webhook_endpoint", endpoint_id=_lost_endpoint),
    case("set_project_webhook", body=lambda s: {"url": s.hook_url, "eventTypes": ["quota.warning"]}),
    case("limit_connection", connection_id="connection", body=lambda s: {"maxConcurrent": 4}),
    case("suspend_connection", connection_id=_lost_connection, body=lambda s: _REASON),
    case("activate_connection", connection_id=_stopped_connection),
    case("access_connection", connection_id="connection", body=lambda s: _REASON),
    case("create_platform_connection", by="operator", headers=_sandbox, body=_mail),
    case("list_all_connections", by="operator", query=lambda s: {"projectId": s.id("project")}),
    case("read_any_connection", by="operator", connection_id="connection"),
    case("read_any_connection_stats", by="operator", connection_id="connection"),
    case(
        "change_platform_connection",
        by="operator",
        connection_id=_platform_connection,
        headers=_sandbox,
        body=lambda s: {"name": _word()},
    ),
    case("read_platform_setup", by="operator", connection_id=_platform_connection, headers=_sandbox),
    case("verify_platform_connection", by="operator", connection_id=_platform_connection, headers=_sandbox),
    case(
        "rotate_platform_connection",
        by="operator",
        connection_id=_platform_connection,
        headers=_sandbox,
        body=lambda s: {"credentials": {"password": _word()}},
    ),
    case("make_platform_default", by="operator", connection_id=_platform_connection, headers=_sandbox),
    case("delete_platform_connection", by="operator", connection_id=_platform_connection, headers=_sandbox),
    case("suspend_any_connection", by="operator", connection_id=_lost_connection, body=lambda s: _REASON),
    case("activate_any_connection", by="operator", connection_id=_stopped_connection),
    case("limit_any_connection", by="operator", connection_id="connection", body=lambda s: {"maxConcurrent": 9}),
    case("access_any_connection", by="operator", connection_id="connection", body=lambda s: _REASON),
    case("read_connection_health", connection_id="connection"),
    case("read_connection_stats", connection_id="connection"),
    case("list_destinations", connection_id="topics"),
    case("create_destination", connection_id="topics", body=lambda s: {"name": _word(), "address": "orders"}),
    case("read_destination", connection_id="topics", destination_id="destination"),
    case(
        "change_destination",
        connection_id="topics",
        destination_id="destination",
        body=lambda s: {"address": "orders-2"},
    ),
    case("list_rules"),
    case("list_sounds"),
    case("create_sound", body=lambda s: form(f"sound_{_word()}"), headers=lambda s: AS_FORM),
    case("read_sound_file", sound_id="sound"),
    case("set_sound_defaults", body=lambda s: {"topics": {"orders": s.id("sound name")}}),
    case("read_sound_defaults"),
    case("delete_sound", sound_id=_lost_sound),
    case("create_rule", body=lambda s: seeds.rule(s, targetRoles=[s.id("role name")], sound=s.id("sound name"))),
    case("read_rule", rule_id="rule"),
    case("list_rule_versions", rule_id="rule"),
    case(
        "change_rule",
        rule_id="rule",
        body=lambda s: {"targetUsers": [s.id("user")], "targetRoles": [s.id("role name")]},
    ),
    case("test_rule", rule_id="rule", body=lambda s: {"event": _event(s)}),
    case("test_rule_draft", body=_draft),
    case(
        "replay_rule",
        rule_id="rule",
        body=lambda s: {
            "from": "2026-01-01T00:00:00Z",
            "rule": seeds.rule(s, targetRoles=[s.id("role name")], targetUsers=[s.id("user")]),
        },
    ),
    case("list_starter_rules"),
    case("install_starter_rules", body=lambda s: {"names": ["orders"], "targetRoles": [s.id("role name")]}),
    case("list_event_types"),
    case("list_seen_event_types"),
    case("create_event_type", body=lambda s: {"name": f"made.{_word()}", "schema": {"type": "object"}}),
    case("read_event_type", event_type_id="event type"),
    case("change_event_type", event_type_id="event type", body=lambda s: {"description": s.mark}),
    case("delete_event_type", event_type_id=_lost_event_type),
    case("list_project_templates"),
    case("list_default_templates"),
    case("save_template", body=lambda s: seeds.wording(s)),
    case("read_template", template_id="template"),
    case("preview_draft_template", body=_drafted_template),
    case("preview_template", template_id="template", body=lambda s: {"eventId": s.id("event")}),
    case("reset_template", template_id=_lost_template),
    case("send_event", by="key", body=_event),
    case("send_events", by="key", body=lambda s: {"events": [_event(s)]}),
    case("list_events"),
    case("read_event", event_id="event"),
    case("explain_event", event_id="event", query=lambda s: {"userId": s.id("user")}),
    case(
        "list_notifications",
        query=lambda s: {"userId": s.id("user"), "ruleId": s.id("rule"), "eventId": s.id("event")},
    ),
    case("list_notifications", query=lambda s: {"userId": s.id("user"), "since": s.id("notification")}),
    case("read_notification", notification_id="notification"),
    case(
        "acknowledge_notification",
        by="key",
        notification_id="notification",
        body=lambda s: {"userId": s.id("user")},
    ),
    case(
        "see_notification",
        by="key",
        notification_id="notification",
        body=lambda s: {"userId": s.id("user")},
    ),
    case("read_notification_stats"),
    case("list_deliveries", query=lambda s: {"notificationId": s.id("notification"), "userId": s.id("user")}),
    case("read_delivery", delivery_id="delivery"),
    case("retry_delivery", delivery_id="delivery"),
    case(
        "authorize_socket",
        by="person",
        body=lambda s: {"socket_id": "1.1", "channel_name": s.id("user", "private-user-{}")},
    ),
    case(
        "authorize_socket", body=lambda s: {"socket_id": "1.1", "channel_name": s.id("project", "private-project-{}")}
    ),
    case("read_realtime_app"),
    case("read_web_push"),
    case("read_realtime_stats"),
    case("delete_address", user_id="user", address_id=_lost_address),
    case("delete_user", user_id=_lost_user),
    case("delete_role", role_id=_lost_role),
    case("delete_rule", rule_id=_lost_rule),
    case("delete_destination", connection_id="topics", destination_id=_lost_destination),
    case("delete_connection", connection_id=_lost_connection),
    case("revoke_key", key_id=_lost_key),
    case("list_egress_addresses", by="nobody"),
    case("save_sso", body=_sso),
    case("read_sso"),
    case("test_sso"),
    case("link_sso", body=_sso_link, fleeting=True),
    case("start_sso", by="nobody", slug=_sso_slug),
    case(
        "finish_sso",
        by="nobody",
        slug=_sso_slug,
        query=_sso_come_back,
        headers=lambda s: {"Cookie": s.ids["sso cookie"]},
    ),
    case("exchange_sso", by="nobody", body=_sso_code, fleeting=True),
    case("unlink_sso", user_id=_sso_linked),
    case("delete_sso"),
    case("sign_in_platform", by="nobody", body=_admin_login),
    case("use_setup_link", by="nobody", body=_lost_link),
    case("read_about", by="nobody"),
    case("list_admins", by="operator"),
    case("invite_admin", by="operator", body=_admin),
    case("change_admin", by="operator", admin_id=_lost_admin, body=lambda s: {"role": "billing"}),
    case("renew_admin_link", by="operator", admin_id=_lost_admin),
    case("list_projects", by="operator"),
    case("make_project", by="operator", body=lambda s: {"name": _word(), "ownerEmail": f"{_word()}@example.com"}),
    case("read_any_project", by="operator", project_id="project"),
    case("change_any_project", by="operator", project_id="project", body=lambda s: {"region": "eu"}),
    case("export_any_project", by="operator", project_id="project"),
    case("read_metrics", by="operator"),
    case("list_platform_audit", by="operator"),
    case("read_platform_settings", by="operator"),
    case("change_platform_settings", by="operator", body=lambda s: {}),
    case("suspend_project", by="operator", project_id="project", body=lambda s: {"reason": "tried"}),
    case("activate_project", by="operator", project_id="project"),
    case("cancel_any_project", by="operator", project_id="project"),
    case("restore_project"),
    case("cancel_project"),
    case("export_project"),
    case("activate_project", by="operator", project_id="project"),
    case("transfer_project", body=lambda s: {"userId": s.id("user")}),
    case("sign_out", by="second owner"),
    case("change_password", body=lambda s: {"current": PASSWORD, "new": PASSWORD}),
)
