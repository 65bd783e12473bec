"""A project's library of sounds: uploaded, listed, played, deleted, and seen by nobody else."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from tests.client import Client, Project, sign_up
from tests.plans.build import put_on
from tests.sounds.library import AS_FORM, fetched, form, upload, uploaded
from tests.sounds.wave import heard, pitch_of, tone
from tocsin.sounds.upload import MOST_IN_SANDBOX

OURS = {"bell", "cash_register", "chime", "horn", "knock", "ping", "siren", "thud"}


async def test_an_uploaded_sound_is_kept_as_an_mp3_of_the_same_tone(acme: Project) -> None:
    sound = await uploaded(acme.key, "oven", tone("FLAC", seconds=0.8, rate=48_000, channels=2, pitch=880))
    assert sound["contentType"] == "audio/mpeg"
    assert sound["builtIn"] is False
    assert sound["duration"] == pytest.approx(0.8, abs=0.01)
    status, file, headers = await fetched(acme.key, sound["url"])
    assert (status, headers["Content-Type"]) == (200, "audio/mpeg")
    assert len(file) == sound["bytes"]
    samples, rate = heard(file)
    assert (rate, samples.shape[1]) == (44_100, 2)
    assert pitch_of(file) == pytest.approx(880, abs=2)


async def test_the_list_has_the_projects_own_and_the_built_in_ones_page_by_page(acme: Project) -> None:
    mine = await uploaded(acme.key, "mine")
    seen, cursor = [], None
    for _ in range(30):
        reply = await acme.key.get("/sounds", limit=3, **({"cursor": cursor} if cursor else {}))
        assert len(reply.json["items"]) <= 3
        seen += reply.json["items"]
        cursor = reply.json["nextCursor"]
        if cursor is None:
            break
    assert len({each["id"] for each in seen}) == len(seen)
    assert seen[0] == mine
    assert {each["name"] for each in seen if each["builtIn"]} == OURS


async def test_built_in_sounds_can_be_heard_and_not_be_deleted(acme: Project) -> None:
    listed = (await acme.key.get("/sounds", limit=200)).json["items"]
    siren = next(each for each in listed if each["name"] == "siren")
    status, file, _ = await fetched(acme.key, siren["url"])
    assert (status, len(file)) == (200, siren["bytes"])
    refused = await acme.key.delete(f"/sounds/{siren['id']}")
    assert (refused.status, refused.code) == (409, "built_in_sound")


async def test_the_file_is_fetched_with_credentials_too_and_as_wav_for_apps(acme: Project) -> None:
    sound = await uploaded(acme.key, "packed", tone(pitch=660))
    address = f"{acme.key.base}/api/v1/sounds/{sound['id']}/file"
    async with acme.key.http.get(address, params={"format": "wav"}, headers=acme.key.headers) as answer:
        assert answer.headers["Content-Type"] == "audio/wav"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="packed.wav"'
        file = await answer.read()
    assert file[:4] == b"RIFF"
    assert pitch_of(file) == pytest.approx(660, abs=3)
    status, _, _ = await fetched(acme.key, address)
    assert status == 401


async def test_a_name_is_taken_once_in_a_project(acme: Project, rival: Project) -> None:
    await uploaded(acme.key, "twice")
    again = await upload(acme.key, "twice")
    assert (again.status, again.code) == (409, "sound_exists")
    await uploaded(rival.key, "twice")


async def test_two_who_upload_the_same_name_at_once_get_one_sound(acme: Project) -> None:
    replies = await asyncio.gather(upload(acme.key, "race"), upload(acme.key, "race"))
    assert sorted(reply.status for reply in replies) == [201, 409]


@pytest.mark.parametrize("name", ["", "Bell", "9lives", "../up", "a" * 64, "ding dong", "küche"])
async def test_a_name_is_one_that_a_file_in_an_app_may_have(acme: Project, name: str) -> None:
    refused = await upload(acme.key, name)
    assert (refused.status, refused.pointers) == (422, ["/name"])


async def test_a_form_without_a_file_or_with_strange_fields_is_refused_at_its_place(acme: Project) -> None:
    strange = await upload(acme.key, "strange", volume="11")
    assert (strange.status, strange.pointers) == (422, ["/volume"])
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nlone\r\n--x--\r\n'
    lone = await acme.key.send("POST", "/sounds", body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert (lone.status, lone.pointers) == (422, ["/file"])
    broken = await acme.key.send("POST", "/sounds", b"--y", headers={"Content-Type": "multipart/form-data"})
    assert broken.status in (400, 422)
    as_json = await acme.key.post("/sounds", {"name": "json"})
    assert (as_json.status, as_json.code) == (415, "unsupported_media_type")


async def test_the_same_idempotency_key_uploads_once(acme: Project) -> None:
    headers = {**AS_FORM, "Idempotency-Key": "upload-1"}
    first = await acme.key.send("POST", "/sounds", form("once"), headers=headers)
    second = await acme.key.send("POST", "/sounds", form("once"), headers=headers)
    assert (first.status, second.status) == (201, 201)
    assert first.json == second.json


async def test_another_project_neither_sees_nor_hears_nor_deletes_it(acme: Project, rival: Project) -> None:
    sound = await uploaded(acme.key, "secret")
    listed = (await rival.key.get("/sounds", limit=200)).json["items"]
    assert sound["id"] not in {each["id"] for each in listed}
    nothing = await rival.key.get(f"/sounds/{UUID(int=7)}/file")
    theirs = await rival.key.get(f"/sounds/{sound['id']}/file")
    assert (theirs.status, theirs.code) == (nothing.status, nothing.code) == (404, "not_found")
    assert (await rival.key.delete(f"/sounds/{sound['id']}")).status == 404
    assert (await fetched(acme.key, sound["url"]))[0] == 200


async def test_an_address_of_one_project_does_not_lead_to_content_of_another(acme: Project, rival: Project) -> None:
    """The digest is signed together with the project: the same content counts where it was uploaded."""
    sound = await uploaded(acme.key, "ours", tone(pitch=523))
    theirs = await uploaded(rival.key, "theirs", tone(pitch=523))
    assert sound["url"] != theirs["url"]
    assert (await rival.key.delete(f"/sounds/{theirs['id']}")).status == 204
    assert (await fetched(rival.key, theirs["url"]))[0] == 404
    assert (await fetched(acme.key, sound["url"]))[0] == 200


async def test_the_sandbox_hears_live_sounds_and_has_its_own(acme: Project) -> None:
    live = await uploaded(acme.key, "both", tone(pitch=300))
    test = await uploaded(acme.test_key, "both", tone(pitch=500))
    assert test["env"] == "test"
    in_test = {each["id"] for each in (await acme.test_key.get("/sounds", limit=200)).json["items"]}
    in_live = {each["id"] for each in (await acme.key.get("/sounds", limit=200)).json["items"]}
    assert {live["id"], test["id"]} <= in_test
    assert test["id"] not in in_live
    refused = await acme.test_key.delete(f"/sounds/{live['id']}")
    assert (refused.status, refused.code) == (403, "live_object")


async def test_the_sandbox_keeps_a_bounded_number(api: Client, sql: asyncpg.Connection) -> None:
    project = await sign_up(api, "Sandy")
    await uploaded(project.test_key, "first")
    await sql.execute(
        "INSERT INTO tocsin.sounds (project_id, id, env, name, content_type, duration_ms, bytes, digest, data)"
        " SELECT project_id, gen_random_uuid(), env, 'n' || n, content_type, duration_ms, bytes, digest, data"
        " FROM tocsin.sounds CROSS JOIN generate_series(2, $2::integer) AS n WHERE project_id = $1",
        project.id,
        MOST_IN_SANDBOX,
    )
    refused = await upload(project.test_key, "too_many")
    assert (refused.status, refused.code) == (403, "limit_reached")
    await uploaded(project.key, "live")


async def test_a_sound_too_many_or_too_much_is_refused_with_the_limit(api: Client, sql: asyncpg.Connection) -> None:
    """Q2, Q3: the sandbox counts for nothing, and of many at once only those get in for whom there is room."""
    project = await sign_up(api, "Small")
    await put_on(sql, project, "free", quotas={"sounds": 3})
    await uploaded(project.test_key, "sandbox")
    replies = await asyncio.gather(*(upload(project.key, f"n{number}") for number in range(6)))
    assert sorted(reply.status for reply in replies) == [201, 201, 201, 403, 403, 403]
    refused = next(reply for reply in replies if reply.status == 403)
    assert refused.json["detail"] == "The plan Free allows 3 sounds, and the project has them all."
    kept = sum(reply.json["bytes"] for reply in replies if reply.status == 201)
    await put_on(sql, project, "free", quotas={"sounds": None, "storageBytes": kept + 100})
    full = await upload(project.key, "straw")
    assert (full.status, full.code) == (403, "limit_reached")
    assert full.json["detail"] == f"The plan Free keeps {kept + 100:,} bytes of files, and this would be more."
