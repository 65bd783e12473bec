"""What is uploaded is decoded where it hurts nobody, and refused in words (C9)."""

import asyncio
import struct

import pytest

from tests.client import Project
from tests.sounds.library import upload, uploaded
from tests.sounds.wave import heard, tone
from tocsin.kit.errors import Invalid, Problem, Unavailable
from tocsin.sounds.recoding import AT_ONCE, MOST_WAITING, Recoder


@pytest.mark.parametrize(
    ("format_", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("AIFF", "PCM_24"),
        ("CAF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
@pytest.mark.parametrize("rate", [8_000, 48_000])
async def test_each_known_format_becomes_an_mp3_whatever_its_rate(format_: str, subtype: str, rate: int) -> None:
    outcome = await Recoder().recoded(tone(format_, subtype, rate=rate, seconds=1.0))
    samples, kept_rate = heard(outcome.file)
    assert kept_rate == 44_100
    assert outcome.milliseconds == pytest.approx(1000, abs=60)
    assert abs(samples[4410:-4410]).max() == pytest.approx(0.5, abs=0.12)
    assert samples.std() == pytest.approx(0.5 / 2**0.5, abs=0.03)


async def test_a_sound_at_full_scale_is_turned_down_so_that_nothing_clips() -> None:
    samples, _ = heard((await Recoder().recoded(tone(loud=1.0))).file)
    assert 0.8 < abs(samples).max() < 1.0


async def test_what_floats_may_hold_does_not_get_through() -> None:
    """Not a number, infinity, and far beyond full scale."""
    wild = struct.pack("<4f", float("nan"), float("inf"), float("-inf"), 1e30) * 3_000
    head = (
        b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 44_100, 176_400, 4, 32) + b"data" + struct.pack("<I", len(wild))
    )
    outcome = await Recoder().recoded(b"RIFF" + struct.pack("<I", len(head) + len(wild)) + head + wild)
    samples, _ = heard(outcome.file)
    assert abs(samples).max() <= 1.0


@pytest.mark.parametrize(
    "file",
    [
        b"<html><script>alert(1)</script></html>" * 50,
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"\x7fELF\x02\x01\x01" + bytes(2_000),
        b"ID3\x03\x00\x00\x00\x00\x00\x10<script>alert(1)</script>" * 4,
        b"PK\x03\x04" + bytes(500),
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        b"R",
        b"RIFF\xff\xff\xff\xffWAVE",
    ],
    ids=["html", "svg", "elf", "id3", "zip", "png", "one byte", "head"],
)
async def test_what_is_no_sound_is_refused_whatever_it_is_called(acme: Project, file: bytes) -> None:
    refused = await upload(acme.key, "no_sound", file, filename="bell.mp3")
    assert (refused.status, refused.code) == (415, "unknown_sound_format")


async def problem(file: bytes) -> Problem:
    with pytest.raises(Problem) as refused:
        await Recoder().recoded(file)
    return refused.value


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (tone("FLAC", seconds=3)[:20_000], "sound_damaged"),
        (tone(seconds=0), "sound_empty"),
        (tone(seconds=31, rate=8_000), "sound_too_long"),
        (tone(channels=8), "sound_channels"),
        (tone(rate=4_000), "sound_rate"),
        (tone(rate=384_000, seconds=0.1), "sound_rate"),
    ],
    ids=["cut short", "without frames", "31 seconds", "8 channels", "4 kHz", "384 kHz"],
)
async def test_what_a_sound_must_not_be_is_said(file: bytes, code: str) -> None:
    refusal = await problem(file)
    assert (refusal.status, refusal.code) == (422, code)
    assert isinstance(refusal, Invalid)


async def test_a_small_file_that_plays_for_an_hour_is_refused_after_thirty_seconds_of_it() -> None:
    """Silence packs 200 times and more; the bound counts what comes out."""
    bomb = tone("FLAC", seconds=3_600, rate=8_000, loud=0.0)
    assert len(bomb) < 200_000
    assert (await problem(bomb)).code == "sound_too_long"


async def test_a_header_that_promises_more_than_there_is_counts_for_nothing() -> None:
    file = bytearray(tone(seconds=0.2))
    file[40:44] = struct.pack("<I", 0x7FFFFFF0)
    outcome = await Recoder().recoded(bytes(file))
    assert outcome.milliseconds == pytest.approx(200, abs=5)


async def test_a_file_that_takes_too_much_memory_ends_its_process_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A prime rate takes the longest way; the widest file of one needs more than a process gets."""
    recoder = Recoder()
    wide = tone(seconds=29.5, rate=191_999, channels=2)
    with pytest.raises(Invalid) as refused:
        await recoder.recoded(wide)
    assert refused.value.code == "sound_unplayable"
    assert (await recoder.recoded(tone())).milliseconds == 500


async def test_a_file_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.sounds.recoding.SECONDS", 0.001)
    assert (await problem(tone())).code == "sound_unplayable"


async def test_who_comes_while_many_wait_is_sent_away() -> None:
    recoder = Recoder()
    results = await asyncio.gather(
        *(recoder.recoded(tone(seconds=0.1)) for _ in range(AT_ONCE + MOST_WAITING + 3)), return_exceptions=True
    )
    assert sum(isinstance(each, Unavailable) for each in results) == 3
    assert not any(isinstance(each, BaseException) and not isinstance(each, Unavailable) for each in results)


async def test_tags_and_what_hangs_behind_are_not_kept(acme: Project) -> None:
    script = b"<script>alert('canary')</script>"
    file = tone() + b"LIST" + struct.pack("<I", len(script)) + script
    sound = await uploaded(acme.key, "tagged", file)
    async with acme.key.http.get(sound["url"]) as answer:
        assert b"canary" not in await answer.read()


async def test_too_many_bytes_are_refused_before_they_are_decoded(acme: Project) -> None:
    refused = await upload(acme.key, "huge", tone() + bytes(5 * 1024 * 1024))
    assert (refused.status, refused.code) == (413, "sound_too_large")
    beyond = await upload(acme.key, "beyond", bytes(7 * 1024 * 1024))
    assert (beyond.status, beyond.code) == (413, "body_too_large")
    nothing = await upload(acme.key, "nothing", b"")
    assert (nothing.status, nothing.code) == (422, "sound_empty")
