"""The end of a visit ends what it opened on sockets, on every process, and nothing else (T4)."""

import pytest

from tests.auth.two import Socket, Two, listening, socket
from tests.client import Client, Project, sign_up
from tests.operators import Operator, operator
from tests.people import join

SIGN_AGAIN = 4200


@pytest.fixture
async def acme(two: Two) -> Project:
    return await sign_up(two.here, "Acme")


@pytest.fixture
async def rival(two: Two) -> Project:
    return await sign_up(two.here, "Rival")


@pytest.fixture
async def boss(two: Two) -> Operator:
    return await operator(two.here, two.site)


async def enter(admin: Operator, project: Project) -> str:
    """A visit of half an hour; its id."""
    reply = await admin.client.post(f"/platform/projects/{project.id}/login-as", {"reason": "Ticket 4711"})
    assert reply.status == 201, reply.json
    return str(reply.json["id"])


def key_of(project: Project) -> str:
    return str(project.signed_up["apiKeys"]["live"]["key"])


def inside(two: Two, admin: Operator, project: Project) -> Client:
    """The admin at the process that has the sockets."""
    return admin.inside(project.slug).at(two.there)


async def follow(two: Two, opened: Socket, admin: Operator, project: Project) -> None:
    await opened.subscribe(f"private-project-{project.id}", inside(two, admin, project))


async def test_a_visit_that_is_ended_takes_its_sockets_along_and_no_others(
    two: Two, boss: Operator, acme: Project, rival: Project
) -> None:
    visit, _ = await enter(boss, acme), await enter(boss, rival)
    ann = await join(two.here, acme)
    async with (
        socket(two, key_of(acme)) as gone,
        socket(two, key_of(rival)) as elsewhere,
        listening(two, ann) as stays,
    ):
        await follow(two, gone, boss, acme)
        await follow(two, elsewhere, boss, rival)
        await two.cut()
        assert (await boss.client.delete(f"/platform/visits/{visit}")).status == 204
        assert await gone.closed() == SIGN_AGAIN
        await elsewhere.lives()
        await stays.lives()
    asked = {"socket_id": "1.2", "channel_name": f"private-project-{acme.id}"}
    assert (await inside(two, boss, acme).post("/realtime/auth", asked)).code == "login_as_required"


async def test_a_visit_that_another_admin_ends_takes_its_sockets_along(two: Two, boss: Operator, acme: Project) -> None:
    supporter = await operator(two.here, two.site, "support")
    visit = await enter(supporter, acme)
    await enter(boss, acme)
    async with socket(two, key_of(acme)) as gone, socket(two, key_of(acme)) as stays:
        await follow(two, gone, supporter, acme)
        await follow(two, stays, boss, acme)
        await two.cut()
        assert (await boss.client.delete(f"/platform/visits/{visit}")).status == 204
        assert await gone.closed() == SIGN_AGAIN
        await stays.lives()


async def test_a_new_visit_has_the_sockets_of_the_last_one_signed_anew(two: Two, boss: Operator, acme: Project) -> None:
    await enter(boss, acme)
    async with socket(two, key_of(acme)) as before:
        await follow(two, before, boss, acme)
        await two.cut()
        await enter(boss, acme)
        assert await before.closed() == SIGN_AGAIN
    async with socket(two, key_of(acme)) as after:
        await follow(two, after, boss, acme)
        await after.lives()


async def test_a_visit_whose_time_is_over_takes_its_sockets_along_unannounced(
    two: Two, boss: Operator, acme: Project, rival: Project
) -> None:
    visit, _ = await enter(boss, acme), await enter(boss, rival)
    async with socket(two, key_of(acme)) as gone, socket(two, key_of(rival)) as elsewhere:
        await follow(two, elsewhere, boss, rival)
        await two.sql.execute("UPDATE tocsin.visits SET expires_at = now() + interval '2 s' WHERE id = $1", visit)
        await follow(two, gone, boss, acme)
        assert await gone.closed() == SIGN_AGAIN
        await elsewhere.lives()
    announced = "SELECT count(*) FROM tocsin.revocations WHERE project_id = $1"
    assert await two.sql.fetchval(announced, acme.id) == 0


async def test_what_was_signed_during_a_visit_and_kept_opens_nothing_afterwards(
    two: Two, boss: Operator, acme: Project
) -> None:
    visit, channel = await enter(boss, acme), f"private-project-{acme.id}"
    async with socket(two, key_of(acme)) as idle, socket(two, key_of(acme)) as marker:
        asked = {"socket_id": idle.id, "channel_name": channel}
        kept = (await inside(two, boss, acme).post("/realtime/auth", asked)).json["auth"]
        await follow(two, marker, boss, acme)
        await two.cut()
        assert (await boss.client.delete(f"/platform/visits/{visit}")).status == 204
        assert await marker.closed() == SIGN_AGAIN
        await idle.show(channel, kept)
        assert await idle.closed() == SIGN_AGAIN


async def test_an_admin_who_is_blocked_or_signs_out_loses_the_sockets_of_the_visit(
    two: Two, boss: Operator, acme: Project
) -> None:
    blocked, leaves = [await operator(two.here, two.site, "support") for _ in range(2)]
    for admin in (blocked, leaves, boss):
        await enter(admin, acme)
    async with (
        socket(two, key_of(acme)) as of_blocked,
        socket(two, key_of(acme)) as of_leaves,
        socket(two, key_of(acme)) as stays,
    ):
        for opened, admin in ((of_blocked, blocked), (of_leaves, leaves), (stays, boss)):
            await follow(two, opened, admin, acme)
        await two.cut()
        reply = await boss.client.put(f"/platform/admins/{blocked.id}", {"status": "disabled"})
        assert reply.status == 200, reply.json
        assert (await leaves.client.post("/auth/logout")).status == 204
        assert (await of_blocked.closed(), await of_leaves.closed()) == (4009, 4009)
        await stays.lives()


async def test_an_admin_who_may_no_longer_enter_loses_the_sockets_of_the_visit(
    two: Two, boss: Operator, acme: Project
) -> None:
    demoted = await operator(two.here, two.site, "support")
    await enter(demoted, acme)
    async with socket(two, key_of(acme)) as gone:
        await follow(two, gone, demoted, acme)
        await two.cut()
        reply = await boss.client.put(f"/platform/admins/{demoted.id}", {"role": "billing"})
        assert reply.status == 200, reply.json
        assert await gone.closed() == SIGN_AGAIN


async def test_a_project_that_is_suspended_loses_the_sockets_of_its_visitors(
    two: Two, boss: Operator, acme: Project, rival: Project
) -> None:
    await enter(boss, acme)
    await enter(boss, rival)
    async with socket(two, key_of(acme)) as gone, socket(two, key_of(rival)) as stays:
        await follow(two, gone, boss, acme)
        await follow(two, stays, boss, rival)
        await two.cut()
        await two.switch(acme, "suspended")
        assert await gone.closed() == 4101
        await stays.lives()
