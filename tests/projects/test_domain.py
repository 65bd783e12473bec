"""A project's own host name: claimed, proven by DNS, answering, given up (T1, T8; bad inputs 114 to 116)."""

import asyncio
import itertools
import socket
from dataclasses import replace
from uuid import UUID

import pytest

from tests.client import PASSWORD, Client, Project, Reply, sign_up
from tests.hosted import BASE, PUBLIC, Hosted, at, claim, prove, publish
from tests.pipeline import until
from tests.plans.build import put_on
from tests.running import running_api, without_sockets
from tocsin.auth.tenant import Tenants
from tocsin.kit.db import Database

_numbers = itertools.count(1)


@pytest.fixture
async def acme(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Acme")


@pytest.fixture
async def rival(hosted: Hosted) -> Project:
    return await sign_up(hosted.api, "Rival")


@pytest.fixture
def domain() -> str:
    """A name that no other test uses."""
    return f"alerts.client-{next(_numbers)}.example"


async def status_at(caller: Client, domain: str) -> tuple[int, str | None]:
    reply = await at(caller, domain).get("/projects/me")
    return reply.status, reply.code


async def audited(hosted: Hosted, project: Project) -> list[str]:
    rows = await hosted.sql.fetch(
        "SELECT action FROM tocsin.audit_log WHERE project_id = $1 AND resource_type = 'domain' ORDER BY id", project.id
    )
    return [row["action"] for row in rows]


async def test_a_claim_says_which_records_to_set(acme: Project, domain: str) -> None:
    claimed = await claim(acme, domain.upper())
    cname, txt = claimed["records"]
    assert (claimed["domain"], claimed["status"], claimed["verifiedAt"]) == (domain, "pending", None)
    assert cname == {"type": "CNAME", "name": domain, "value": PUBLIC}
    assert (txt["type"], txt["name"]) == ("TXT", f"_tocsin.{domain}")
    assert txt["value"].startswith("tocsin-verification=") and len(txt["value"]) > 40
    assert (await acme.key.get("/projects/me/domain")).json == claimed
    assert (await acme.key.get("/projects/me")).json["domain"] == domain


async def test_the_same_claim_again_keeps_its_records_and_another_has_to_wait(acme: Project, domain: str) -> None:
    claimed = await claim(acme, domain)
    assert await claim(acme, domain) == claimed
    reply = await acme.owner.post("/projects/me/domain", {"domain": f"other.{domain}"})
    assert (reply.status, reply.code) == (409, "domain_exists")


async def test_a_project_sees_no_claim_of_another(acme: Project, rival: Project, domain: str) -> None:
    await claim(acme, domain)
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/verify")):
        reply = await rival.owner.send(method, f"/projects/me/domain{path}")
        assert (reply.status, reply.code) == (404, "no_domain")
    assert (await rival.owner.get("/projects/me")).json["domain"] is None
    assert (await acme.owner.get("/projects/me/domain")).status == 200


async def test_a_domain_answers_from_its_proof_on_at_every_process(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    claimed = await claim(acme, domain)
    for caller in (rival.key, rival.key.at(hosted.other)):
        assert (await status_at(caller, domain))[0] == 200, "a claim alone names nobody"
    publish(hosted.dns, claimed)
    reply = await acme.owner.post("/projects/me/domain/verify")
    assert (reply.status, reply.json["status"]) == (200, "verified")
    assert await status_at(rival.key, domain) == (403, "tenant_mismatch")
    await until(lambda: refused(rival.key.at(hosted.other), domain))
    for caller in (acme.key, acme.owner, acme.key.at(hosted.other)):
        assert (await status_at(caller, f"{domain.upper()}.:8443"))[0] == 200


async def refused(caller: Client, domain: str) -> bool:
    return await status_at(caller, domain) == (403, "tenant_mismatch")


async def test_another_projects_credential_at_the_domain_does_nothing_at_all(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    await prove(hosted, acme, domain)
    count = "SELECT count(*) FROM tocsin.{} WHERE project_id = ANY($1)"
    tables = ("users", "events", "audit_log", "idempotency_records")

    async def rows() -> list[int]:
        return [await hosted.sql.fetchval(count.format(table), [acme.id, rival.id]) for table in tables]

    before = await rows()
    event = {"type": "a", "payload": {}}
    for caller in (rival.key, rival.owner):
        for path, body in (("/users", {"name": "A"}), ("/events", event), ("/events/batch", {"events": [event]})):
            reply = await at(caller, domain).post(path, body, Idempotency_Key="once")
            assert (reply.status, reply.code) == (403, "tenant_mismatch")
    assert await rows() == before


async def test_people_sign_in_at_the_domain_without_naming_the_project(hosted: Hosted, domain: str) -> None:
    email = f"both@{domain}"
    one, two = [await sign_up(hosted.api, name, email=email) for name in ("One", "Two")]
    await prove(hosted, two, domain)
    reply = await at(hosted.api, domain).post("/auth/login", {"email": email, "password": PASSWORD})
    assert reply.json["project"]["id"] == two.id
    body = {"email": email, "password": PASSWORD, "project": one.slug}
    assert (await at(hosted.api, domain).post("/auth/login", body)).code == "tenant_mismatch"


async def test_what_is_missing_in_the_dns_is_named_and_proves_nothing(
    hosted: Hosted, acme: Project, domain: str
) -> None:
    claimed = await claim(acme, domain)
    cname, txt = claimed["records"]

    async def missing() -> list[str]:
        reply = await acme.owner.post("/projects/me/domain/verify")
        assert (reply.status, reply.code) == (422, "domain_not_proven")
        return [error["code"] for error in reply.json["errors"]]

    assert await missing() == ["cname_missing", "txt_missing"]
    hosted.dns.set(txt["name"], "TXT", txt["value"])
    assert await missing() == ["cname_missing"]
    hosted.dns.set(cname["name"], "CNAME", "elsewhere.example")
    assert await missing() == ["cname_missing"]
    hosted.dns.set(cname["name"], "CNAME", cname["value"])
    hosted.dns.set(txt["name"], "TXT", txt["value"][:-1])
    assert await missing() == ["txt_missing"]
    assert (await acme.owner.get("/projects/me/domain")).json["status"] == "pending"
    assert await audited(hosted, acme) == ["domain.claimed"]


async def test_the_name_may_lead_here_over_another_name(hosted: Hosted, acme: Project, domain: str) -> None:
    cname, txt = (await claim(acme, domain))["records"]
    hosted.dns.set(domain, "CNAME", f"edge.{domain}")
    hosted.dns.set(f"edge.{domain}", "CNAME", cname["value"].upper())
    hosted.dns.set(txt["name"], "TXT", txt["value"])
    assert (await acme.owner.post("/projects/me/domain/verify")).status == 200


async def test_names_that_lead_in_a_circle_lead_nowhere(hosted: Hosted, acme: Project, domain: str) -> None:
    await claim(acme, domain)
    hosted.dns.set(domain, "CNAME", f"edge.{domain}")
    hosted.dns.set(f"edge.{domain}", "CNAME", domain)
    reply = await acme.owner.post("/projects/me/domain/verify")
    assert [error["code"] for error in reply.json["errors"]] == ["cname_missing", "txt_missing"]


async def test_a_dns_that_does_not_answer_is_not_a_no(hosted: Hosted, acme: Project, domain: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        settings = {**hosted.site.settings, "TOCSIN_DNS_SERVERS": f"127.0.0.1:{silent.getsockname()[1]}"}
        with running_api(without_sockets(replace(hosted.site, settings=settings))) as process:
            await claim(acme, domain)
            reply = await acme.owner.at(Client(acme.owner.http, process.url)).post("/projects/me/domain/verify")
    assert (reply.status, reply.code) == (503, "dns_unreachable")
    assert reply.headers["Retry-After"] == "60"


async def test_a_claim_without_proof_keeps_nobody_out(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    await claim(rival, domain)
    await prove(hosted, acme, domain)
    assert await status_at(rival.key, domain) == (403, "tenant_mismatch")
    reply = await rival.owner.post("/projects/me/domain/verify")
    assert (reply.status, reply.code) == (422, "domain_not_proven"), "its TXT record is not the one of acme's"


async def test_a_proven_name_is_taken_and_nobody_says_by_whom(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    squat = await claim(rival, domain)
    await prove(hosted, acme, domain)
    hosted.dns.set(squat["records"][1]["name"], "TXT", squat["records"][1]["value"])
    late = await sign_up(hosted.api, "Late")
    replies = [
        await rival.owner.post("/projects/me/domain/verify"),
        await late.owner.post("/projects/me/domain", {"domain": domain}),
    ]
    for reply in replies:
        assert (reply.status, reply.code) == (409, "domain_taken")
        assert not any(word in str(reply.json) for word in (acme.id, acme.slug, "Acme"))
    assert (await rival.owner.get("/projects/me/domain")).json["status"] == "pending"
    assert (await status_at(acme.key, domain))[0] == 200


async def test_of_two_who_prove_a_name_at_once_one_gets_it(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    for each in [await claim(project, domain) for project in (acme, rival)]:
        hosted.dns.add(each["records"][1]["name"], "TXT", each["records"][1]["value"])
    hosted.dns.set(domain, "CNAME", PUBLIC)
    replies = await asyncio.gather(*(project.owner.post("/projects/me/domain/verify") for project in (acme, rival)))
    assert sorted((reply.status, reply.code) for reply in replies) == [(200, None), (409, "domain_taken")]
    held = "SELECT count(*) FROM tocsin.domains WHERE domain = $1 AND status = 'verified'"
    assert await hosted.sql.fetchval(held, domain) == 1


async def test_a_domain_given_up_names_nobody_at_any_process(
    hosted: Hosted, acme: Project, rival: Project, domain: str
) -> None:
    await prove(hosted, acme, domain)
    there = rival.key.at(hosted.other)
    await until(lambda: refused(there, domain))
    assert (await acme.owner.delete("/projects/me/domain")).status == 204
    assert (await status_at(rival.key, domain))[0] == 200

    async def free() -> bool:
        return (await status_at(there, domain))[0] == 200

    await until(free)
    assert (await acme.owner.get("/projects/me/domain")).code == "no_domain"
    assert (await prove(hosted, rival, domain)).status == 200


async def test_verifying_again_changes_nothing(hosted: Hosted, acme: Project, domain: str) -> None:
    first = (await prove(hosted, acme, domain)).json
    again = (await acme.owner.post("/projects/me/domain/verify")).json
    assert again["verifiedAt"] == first["verifiedAt"]
    assert again["checkedAt"] > first["checkedAt"]
    await acme.owner.delete("/projects/me/domain")
    assert await audited(hosted, acme) == ["domain.claimed", "domain.verified", "domain.removed"]


REFUSED = ["*.client.com", "127.0.0.1", "localhost", "co.uk", "client.com", "alerts.client.com.", "alerts.pаypal.com"]


@pytest.mark.parametrize("name", [*REFUSED, "a\0b.client.com", "", "a" * 254])
async def test_a_name_that_cannot_be_proven_is_refused(acme: Project, name: str) -> None:
    reply = await acme.owner.post("/projects/me/domain", {"domain": name})
    assert (reply.status, reply.pointers) == (422, ["/domain"])


@pytest.mark.parametrize("name", [f"acme.{BASE}", f"a.b.{BASE}", BASE, PUBLIC, f"x.{PUBLIC}", BASE.upper()])
async def test_the_installations_own_names_are_nobodys(acme: Project, name: str) -> None:
    reply = await acme.owner.post("/projects/me/domain", {"domain": name})
    assert reply.status == 422
    assert reply.json["errors"][0]["code"] == "own_domain"


async def test_changing_the_domain_needs_project_manage(acme: Project, domain: str) -> None:
    _, reader = await acme.new_key("project:read")
    assert (await reader.get("/projects/me/domain")).code == "no_domain"
    for method, path, body in (("POST", "", {"domain": domain}), ("POST", "/verify", None), ("DELETE", "", None)):
        reply = await reader.send(method, f"/projects/me/domain{path}", body)
        assert (reply.status, reply.code) == (403, "permission_missing")


async def test_an_installation_without_a_name_takes_no_domains(api: Client, domain: str) -> None:
    project = await sign_up(api, "Nameless")
    reply = await project.owner.post("/projects/me/domain", {"domain": domain})
    assert (reply.status, reply.code) == (409, "domains_not_set_up")


async def asked(hosted: Hosted, name: str) -> Reply:
    return await hosted.api.get("/domains/ask", domain=name)


async def test_a_proxy_is_told_of_verified_names_alone(hosted: Hosted, acme: Project, domain: str) -> None:
    claimed = await claim(acme, domain)
    assert (await asked(hosted, domain)).status == 404
    publish(hosted.dns, claimed)
    await acme.owner.post("/projects/me/domain/verify")
    for name in (domain, domain.upper(), f"{domain}."):
        assert (await asked(hosted, name)).status == 200
    for name in (f"www.{domain}", BASE, PUBLIC, "127.0.0.1", "localhost", "", "*", f"{domain}\0", "a" * 253):
        assert (await asked(hosted, name)).status == 404, name
    await acme.owner.delete("/projects/me/domain")
    assert (await asked(hosted, domain)).status == 404


async def test_a_flood_of_unknown_names_is_cut_off_and_known_ones_are_not(
    hosted: Hosted, acme: Project, domain: str
) -> None:
    await prove(hosted, acme, domain)
    assert (await asked(hosted, domain)).status == 200
    replies: list[Reply] = []
    for batch in range(0, 400, 40):  # fewer than find no place in the process
        flood = (asked(hosted, f"n{number}.flood.example") for number in range(batch, batch + 40))
        replies += await asyncio.gather(*flood)
    statuses = {reply.status for reply in replies}
    assert statuses == {404, 429}
    assert all(reply.headers["Retry-After"] == "1" for reply in replies if reply.status == 429)
    assert (await asked(hosted, domain)).status == 200


async def test_a_name_whose_first_read_crossed_its_revocation_is_heard_of_and_read_again(
    hosted: Hosted, acme: Project, domain: str
) -> None:
    await prove(hosted, acme, domain)
    db = Database(hosted.site.app_url, ordinary=1, hot=0, statement_seconds=5)
    tenants = Tenants(db, lambda: True)
    looking = asyncio.create_task(tenants.find(domain))
    await asyncio.sleep(0)
    tenants.revoked(UUID(acme.id), "domain", domain)
    assert await looking is not None
    assert tenants.heard_of(domain)
    await acme.owner.delete("/projects/me/domain")
    assert await tenants.find(domain) is None
    await db.close()


async def test_a_domain_is_a_feature_of_the_plan(hosted: Hosted, acme: Project, domain: str) -> None:
    await put_on(hosted.sql, acme, "starter")
    refused = await acme.owner.post("/projects/me/domain", {"domain": domain})
    assert (refused.status, refused.code) == (403, "feature_not_in_plan")
    await put_on(hosted.sql, acme, "professional")
    await claim(acme, domain)


async def test_the_branding_shows_a_verified_domain(hosted: Hosted, acme: Project, domain: str) -> None:
    await claim(acme, domain)
    assert (await acme.owner.get("/projects/me/branding")).json["customDomain"] is None
    await acme.owner.delete("/projects/me/domain")
    await prove(hosted, acme, domain)
    assert (await acme.owner.get("/projects/me/branding")).json["customDomain"] == domain
