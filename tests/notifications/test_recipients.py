"""Whom a rule reaches, why, and what is said where it reaches nobody (R1, D6)."""

from typing import Any

from tests.client import Project, sign_up
from tests.endpoint import endpoint
from tests.pipeline import Working, ended, make_rule, notified, send_event, story


async def make_role(project: Project, name: str) -> str:
    reply = await project.owner.post("/roles", {"name": name, "permissions": []})
    assert reply.status == 201, reply.json
    return name


def reasons(rule: Any) -> dict[str, str]:
    """Why each recipient was told; one who is there twice is a mistake."""
    found = {each["userId"]: each["reason"] for each in rule["recipients"]}
    assert len(found) == len(rule["recipients"]) == rule["recipientsTotal"]
    return found


async def test_each_is_told_once_with_the_closest_reason(shop: Project) -> None:
    roles = [await make_role(shop, "kitchen"), await make_role(shop, "bar")]
    ann, bob, cid = [await shop.add_user(roles=roles, externalUserId=name) for name in ("ann", "bob", "cid")]
    await make_rule(shop, "realtime", targetRoles=roles, targetUsers=[ann["id"], bob["id"]], targetPayloadUser=True)
    event_id = await send_event(shop.key, userId="ann")
    [rule] = (await story(shop.key, event_id))["trace"]
    notification = await notified(shop.key, event_id)
    assert reasons(rule) == {ann["id"]: "user in the payload", bob["id"]: "named in the rule", cid["id"]: "role"}
    assert (rule["recipientsTotal"], rule["deliveriesTotal"], notification["recipientsTotal"]) == (3, 3, 3)


async def test_only_active_people_are_told(shop: Project) -> None:
    role = await make_role(shop, "kitchen")
    ann, bob, cid = [await shop.add_user(roles=[role], externalUserId=name) for name in ("ann", "bob", "cid")]
    for person in (bob, cid):
        assert (await shop.owner.put(f"/users/{person['id']}", {"status": "disabled"})).status == 200
    await make_rule(shop, "realtime", targetRoles=[role], targetUsers=[bob["id"]], targetPayloadUser=True)
    [rule] = (await story(shop.key, await send_event(shop.key, userId="cid")))["trace"]
    assert reasons(rule) == {ann["id"]: "role"}


async def test_a_rule_that_reaches_nobody_says_so(shop: Project) -> None:
    role = await make_role(shop, "empty")
    await make_rule(shop, "realtime", "email", targetRoles=[role])
    told = await story(shop.key, await send_event(shop.key))
    [rule] = told["trace"]
    assert (told["outcome"], told["notifications"]) == ("nobody", [])
    assert (rule["matched"], rule["notificationId"], rule["recipients"]) == (True, None, [])
    assert "reaches nobody" in rule["reason"]


async def test_without_recipients_the_projects_endpoint_is_still_called_once(shop: Project) -> None:
    role = await make_role(shop, "empty")
    async with endpoint() as served:
        await served.connect(shop)
        await make_rule(shop, "realtime", "webhook", "email", targetRoles=[role])
        event_id = await send_event(shop.key, order="A-1")
        await ended(shop.key, event_id)
        notification = await notified(shop.key, event_id)
    [call] = served.calls
    assert (call.data["title"], call.data["users"]) == ("Order A-1", [])
    assert (notification["recipients"], notification["recipientsTotal"], notification["delivered"]) == ([], 0, 1)


async def test_people_of_another_project_are_never_meant(working: Working, shop: Project) -> None:
    rival = await sign_up(working.api, "Rival")
    await rival.add_user(externalUserId="ann")
    await make_rule(shop, "realtime", targetPayloadUser=True)
    assert (await story(shop.key, await send_event(shop.key, userId="ann")))["outcome"] == "nobody"


async def test_a_role_of_ten_thousand_is_told_completely(working: Working, shop: Project) -> None:
    role = await make_role(shop, "crowd")
    await crowd(working, shop, role, 10_000)
    async with endpoint() as served:
        await served.connect(shop)
        made = await make_rule(shop, "realtime", "webhook", targetRoles=[role])
        event_id = await send_event(shop.key)
        told = await story(shop.key, event_id, seconds=60)
        [rule] = told["trace"]
        await ended(shop.key, event_id, seconds=60)
    assert (rule["recipientsTotal"], rule["deliveriesTotal"], len(rule["recipients"])) == (10_000, 10_001, 200)
    rows = await working.sql.fetchrow(
        "SELECT count(*) AS told, count(DISTINCT user_id) AS people, sum(feed_seq) AS seqs"
        " FROM tocsin.notification_recipients WHERE project_id = $1 AND notification_id = $2",
        shop.id,
        rule["notificationId"],
    )
    assert tuple(rows) == (10_000, 10_000, 10_000)
    assert len(served.calls) == 1 and len(served.calls[0].data["users"]) == 10_000
    assert made["active"]


async def test_more_than_ten_thousand_are_cut_and_the_story_says_so(working: Working, shop: Project) -> None:
    role = await make_role(shop, "crowd")
    await crowd(working, shop, role, 10_001)
    await make_rule(shop, "realtime", targetRoles=[role])
    [rule] = (await story(shop.key, await send_event(shop.key), seconds=60))["trace"]
    assert rule["recipientsTotal"] == 10_000
    assert "10,001" in rule["reason"]


async def crowd(working: Working, project: Project, role: str, count: int) -> None:
    """Many members of a role, made past the API, which takes its time for each."""
    await working.sql.execute(
        "WITH people AS (INSERT INTO tocsin.users (project_id, id, env, name, status)"
        " SELECT $1, gen_random_uuid(), 'live', 'P', 'active' FROM generate_series(1, $3) RETURNING id)"
        " INSERT INTO tocsin.user_roles (project_id, user_id, role_id, env)"
        " SELECT $1, p.id, r.id, 'live' FROM people p, tocsin.roles r WHERE r.project_id = $1 AND r.name = $2",
        project.id,
        role,
        count,
    )
