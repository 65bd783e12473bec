"""The built-in sounds: made by our own script, and fit to be heard."""

import hashlib
import io
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from tests.sounds.wave import heard
from tocsin.sounds.built_in import BUILT_IN, BY_ID
from tocsin.sounds.synthesis import MADE, PICTURES, finished, picture

NAMES = sorted(MADE)


def level(samples: object) -> float:
    """Decibels below full scale, as root mean square."""
    return float(20 * np.log10(np.sqrt((np.asarray(samples) ** 2).mean())))


def test_each_sound_of_the_script_is_kept_and_each_that_is_kept_is_of_the_script() -> None:
    assert sorted(BUILT_IN) == NAMES
    assert len(BY_ID) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_file_is_what_the_script_makes(name: str) -> None:
    """As wave, 20 dB and more above the difference that MP3 makes."""
    made, (kept, _) = finished(MADE[name]()), heard(BUILT_IN[name].data)
    assert len(kept) == len(made)
    assert level(kept[:, 0] - made) < level(made) - 20


@pytest.mark.parametrize("name", NAMES)
def test_what_is_known_of_a_file_is_true(name: str) -> None:
    ours = BUILT_IN[name]
    assert hashlib.sha256(ours.data).hexdigest()[:32] == ours.digest
    assert soundfile.info(io.BytesIO(ours.data)).duration * 1000 == pytest.approx(ours.duration_ms, abs=1)
    assert len(ours.data) < 20_000


@pytest.mark.parametrize("name", NAMES)
def test_it_is_loud_enough_clips_nowhere_and_does_not_click(name: str) -> None:
    samples = heard(BUILT_IN[name].data)[0][:, 0]
    assert 0.7 < np.abs(samples).max() < 0.95
    loudest = max(level(part) for part in np.array_split(samples, max(1, len(samples) // 2205)))
    assert loudest > -16
    assert abs(samples.mean()) < 0.01
    assert np.abs(samples[:20]).max() < 0.1
    assert np.abs(samples[-20:]).max() < 0.01
    assert 0.3 < len(samples) / 44_100 < 3


@pytest.mark.parametrize("name", NAMES)
def test_its_picture_is_of_this_wave(name: str) -> None:
    kept = (PICTURES / f"{name}.svg").read_text()
    assert kept == picture(finished(MADE[name]()))
    assert ElementTree.fromstring(kept).tag.endswith("svg")


def test_the_alarm_is_the_one_that_nobody_mistakes_for_another() -> None:
    """Heard as loud as possible over its whole length, where the others ring out."""
    loudness = {name: level(heard(ours.data)[0]) for name, ours in BUILT_IN.items()}
    assert max(loudness, key=lambda name: loudness[name]) == "siren"
