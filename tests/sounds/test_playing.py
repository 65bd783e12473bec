"""Where a sound is played: by address alone, in parts, from caches (O3)."""

import subprocess
from typing import Any

import pytest

from tests.client import Client, Project
from tests.sounds.library import fetched, uploaded
from tests.sounds.wave import tone


@pytest.fixture
async def sound(acme: Project) -> Any:
    listed = (await acme.key.get("/sounds", limit=200)).json["items"]
    found = [each for each in listed if each["name"] == "played"]
    return found[0] if found else await uploaded(acme.key, "played", tone(seconds=1.5))


async def test_it_is_what_a_browser_may_keep_for_ever_and_run_never(acme: Project, sound: Any) -> None:
    status, file, headers = await fetched(acme.key, sound["url"])
    assert (status, len(file)) == (200, sound["bytes"])
    assert headers["Content-Type"] == "audio/mpeg"
    assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Accept-Ranges"] == "bytes"
    again, body, _ = await fetched(acme.key, sound["url"], If_None_Match=headers["ETag"])
    assert (again, body) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-", 0, None),
        ("bytes=0-1", 0, 1),
        ("bytes=100-199", 100, 199),
        ("bytes=-64", -64, None),
        ("bytes=10-99999999", 10, None),
    ],
)
async def test_a_part_is_answered_with_its_place(
    acme: Project, sound: Any, asked: str, first: int, last: int | None
) -> None:
    _, whole, _ = await fetched(acme.key, sound["url"])
    status, part, headers = await fetched(acme.key, sound["url"], Range=asked)
    start = first % len(whole)
    assert status == 206
    assert part == whole[start : last + 1 if last is not None else None]
    assert headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0"])
async def test_a_part_that_is_not_there_is_refused_with_the_length(acme: Project, sound: Any, asked: str) -> None:
    status, _, headers = await fetched(acme.key, sound["url"], Range=asked)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{sound['bytes']}")


@pytest.mark.parametrize("asked", ["bytes=5-2", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=a-b", "bytes"])
async def test_what_is_no_part_is_answered_with_the_whole(acme: Project, sound: Any, asked: str) -> None:
    status, file, _ = await fetched(acme.key, sound["url"], Range=asked)
    assert (status, len(file)) == (200, sound["bytes"])


async def test_a_part_of_another_version_is_answered_with_the_whole(acme: Project, sound: Any) -> None:
    status, file, _ = await fetched(acme.key, sound["url"], Range="bytes=0-1", If_Range='"another"')
    assert (status, len(file)) == (200, sound["bytes"])


async def test_curl_resumes_where_it_stopped(acme: Project, sound: Any, tmp_path: Any) -> None:
    _, whole, _ = await fetched(acme.key, sound["url"])
    kept = tmp_path / "sound.mp3"
    kept.write_bytes(whole[:500])
    subprocess.run(["curl", "-sf", "-C", "-", "-o", str(kept), sound["url"]], check=True, timeout=20)
    assert kept.read_bytes() == whole


async def test_an_address_that_we_did_not_make_leads_nowhere(acme: Project, sound: Any) -> None:
    head, _, token = sound["url"].rpartition("/")
    other = "B" if token[30] != "B" else "C"
    for wrong in (token[:30] + other + token[31:], token.removesuffix(".mp3"), "x.mp3", ".mp3", "é.mp3", token[4:]):
        status, body, _ = await fetched(acme.key, f"{head}/{wrong}")
        assert status == 404, wrong
        assert b"not_found" in body


async def test_a_built_in_sound_is_played_by_an_address_of_each_project(acme: Project, rival: Project) -> None:
    addresses = set()
    for project in (acme, rival):
        listed = (await project.key.get("/sounds", limit=200)).json["items"]
        address = next(each["url"] for each in listed if each["name"] == "chime")
        assert (await fetched(project.key, address))[0] == 200
        addresses.add(address)
    assert len(addresses) == 2


async def test_nobody_is_asked_who_they_are(api: Client, sound: Any) -> None:
    status, _, _ = await fetched(api, sound["url"])
    assert status == 200
