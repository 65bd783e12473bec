"""Verifying asks the provider, in no transaction, and says what it said (C5, D2)."""

import asyncpg
import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from tests.client import Project
from tests.connections.build import PASSWORD, mail_server, make_hook, make_mail, read, receiver
from tests.engines import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")


async def test_a_login_that_works_makes_the_connection_active(acme: Project) -> None:
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port)
        reply = await acme.key.post(f"/connections/{made['id']}/verify")
    assert reply.status == 200, reply.json
    account = {"id": "acme@127.0.0.1", "name": "alerts@acme.example.com"}
    told = {"status": "active", "verified": True, "account": account, "warnings": [], "testMessage": None}
    assert reply.json == told
    assert mail.logins == ["acme"]
    assert mail.taken == []
    after = await read(acme.key, made)
    assert (after["status"], after["verified"], after["healthStatus"]) == ("active", True, "healthy")
    assert after["verifiedAt"] and after["lastHealthCheck"]
    assert after["account"] == account


async def test_a_target_gets_a_test_message(acme: Project) -> None:
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port)
        reply = await acme.key.post(f"/connections/{made['id']}/verify", {"target": "ann@example.com"})
    assert reply.status == 200, reply.json
    assert reply.json["testMessage"]["status"] == "sent"
    assert "4711" in reply.json["testMessage"]["answer"]
    [(recipients, sent)] = mail.taken
    assert recipients == ["ann@example.com"]
    assert sent["Subject"] == "Test message"
    assert made["name"] in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]


async def test_a_refused_login_is_told_in_the_servers_own_words(acme: Project) -> None:
    async with mail_server() as mail:
        wrong = {"username": "acme", "password": "canary-wrong-password"}
        made = await make_mail(acme.key, port=mail.port, login=wrong)
        reply = await acme.key.post(f"/connections/{made['id']}/verify", {"target": "ann@example.com"})
    assert (reply.status, reply.code) == (422, "verification_failed")
    assert reply.json["detail"] == "The server refused the login. 535 5.7.8 no entry with ****"
    assert mail.taken == []
    after = await read(acme.key, made)
    assert (after["status"], after["verified"], after["healthStatus"]) == ("pending", False, "failing")
    assert after["statusReason"] == reply.json["detail"]


async def test_a_failure_leaves_the_status_and_new_credentials_begin_afresh(acme: Project) -> None:
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port)
        where = f"/connections/{made['id']}"
        assert (await acme.key.post(f"{where}/verify")).status == 200
    down = await acme.key.post(f"{where}/verify")
    assert (down.status, down.code) == (422, "verification_failed")
    after = await read(acme.key, made)
    assert (after["status"], after["healthStatus"]) == ("active", "failing")
    async with mail_server() as mail:
        settings = {**after["settings"], "port": mail.port}
        changed = await acme.key.put(where, {"settings": settings, "credentials": {"password": "wrong-one-now"}})
        assert (changed.json["status"], changed.json["statusReason"]) == ("pending", None)
        assert (await acme.key.post(f"{where}/verify")).code == "verification_failed"
        await acme.key.put(where, {"credentials": {"password": PASSWORD}})
        assert (await acme.key.post(f"{where}/verify")).json["status"] == "active"
    assert (await read(acme.key, made))["statusReason"] is None


async def test_a_message_that_fails_does_not_undo_the_verification(acme: Project) -> None:
    async with mail_server() as mail:
        mail.refused.add("nobody@example.com")
        made = await make_mail(acme.key, port=mail.port)
        reply = await acme.key.post(f"/connections/{made['id']}/verify", {"target": "nobody@example.com"})
    assert (reply.status, reply.code, reply.pointers) == (422, "test_message_failed", ["/target"])
    assert "nobody of that name lives here" in reply.json["detail"]
    after = await read(acme.key, made)
    assert (after["status"], after["verified"], after["statusReason"]) == ("active", True, None)


async def test_a_webhook_gets_a_signed_test_call(acme: Project) -> None:
    async with receiver() as backend:
        made = await make_hook(acme.key, backend.url)
        where = f"/connections/{made['id']}"
        assert (await acme.key.post(f"{where}/verify")).json["verified"] is True
        rotated = await acme.key.post(f"{where}/rotate")
        assert (await acme.key.post(f"{where}/verify")).status == 200
        backend.status, backend.words = 503, "we are closed"
        failed = await acme.key.post(f"{where}/verify")
    assert (failed.status, failed.code) == (422, "verification_failed")
    assert failed.json["detail"] == "The endpoint answered 503. we are closed"
    assert (await read(acme.key, made))["status"] == "active"
    first, second, _ = backend.calls
    assert msgspec.json.decode(first[1])["event"] == "webhook.test"
    for headers, body in (first, second):
        assert Webhook(made["secret"]).verify(body, {name.lower(): value for name, value in headers.items()})
    headers, body = second
    assert Webhook(rotated.json["secret"]).verify(body, {name.lower(): value for name, value in headers.items()})


async def test_no_transaction_is_open_while_the_provider_thinks(acme: Project, sql: asyncpg.Connection) -> None:
    open_ones: list[int] = []

    async def look() -> None:
        open_ones.append(
            await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'"
            )
        )

    async with mail_server() as mail:
        mail.meanwhile = look
        made = await make_mail(acme.key, port=mail.port)
        assert (await acme.key.post(f"/connections/{made['id']}/verify")).status == 200
    assert open_ones == [0]


async def test_what_changed_meanwhile_is_not_called_verified(acme: Project) -> None:
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port)
        where = f"/connections/{made['id']}"

        async def change() -> None:
            reply = await acme.key.put(where, {"credentials": {"password": "changed-meanwhile"}})
            assert reply.status == 200, reply.json

        mail.meanwhile = change
        reply = await acme.key.post(f"{where}/verify")
    assert (reply.status, reply.code) == (409, "connection_changed")
    assert (await read(acme.key, made))["verified"] is False


async def test_a_repeated_verification_asks_once(acme: Project) -> None:
    async with mail_server() as mail:
        made = await make_mail(acme.key, port=mail.port)
        where = f"/connections/{made['id']}/verify"
        body = {"target": "ann@example.com"}
        first = await acme.key.post(where, body, idempotency_key="verify-1")
        again = await acme.key.post(where, body, idempotency_key="verify-1")
    assert first.status == 200
    assert first.json == again.json
    assert len(mail.taken) == 1


async def test_in_the_sandbox_nothing_leaves(acme: Project) -> None:
    made = await make_mail(acme.test_key, port=free_port())
    reply = await acme.test_key.post(f"/connections/{made['id']}/verify", {"target": "ann@example.com"})
    assert reply.status == 200, reply.json
    assert (reply.json["status"], reply.json["verified"]) == ("active", False)
    assert reply.json["testMessage"]["status"] == "captured"


@pytest.mark.parametrize(
    ("provider", "target", "code"), [("smtp", "no address", "invalid_address"), ("webhook", "x@y.example", "no_target")]
)
async def test_a_target_that_cannot_be_reached_is_refused(acme: Project, provider: str, target: str, code: str) -> None:
    made = await (make_mail(acme.key) if provider == "smtp" else make_hook(acme.key))
    reply = await acme.key.post(f"/connections/{made['id']}/verify", {"target": target})
    assert reply.status == 422
    assert [(error["pointer"], error["code"]) for error in reply.json["errors"]] == [("/target", code)]


async def test_a_suspended_connection_stays_so(acme: Project, sql: asyncpg.Connection) -> None:
    made = await make_mail(acme.key)
    await sql.execute("UPDATE tocsin.connections SET status = 'suspended' WHERE id = $1", made["id"])
    reply = await acme.key.post(f"/connections/{made['id']}/verify")
    assert (reply.status, reply.code) == (409, "connection_suspended")
