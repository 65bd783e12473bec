"""Making the built-in sounds: ``python -m tocsin.sounds.synthesis`` writes them anew, with their pictures.

Every sound is a sum of a few partials under envelopes, computed without chance, so that what is kept in `built_in`
can be made again and compared. Ours alone: nothing is sampled from anywhere.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]

from tocsin.sounds.codec import RATE, encoded

Wave = npt.NDArray[np.float64]

PEAK = 0.8
"""Of full scale, so that no decoder's rounding clips."""
_FADE_IN, _FADE_OUT = 0.002, 0.02
"""Seconds: a wave that begins or ends anywhere but at zero clicks."""

HERE = Path(__file__).parent / "built_in"
PICTURES = Path(__file__).parents[3] / "docs" / "sounds"


def chime() -> Wave:
    """Three rising notes of a glockenspiel."""
    notes = ((0.0, 784.0), (0.16, 988.0), (0.32, 1175.0))
    return mixed((start, _struck(pitch, 1.3, ((1, 1.0), (2.76, 0.35), (5.4, 0.12)), 0.32)) for start, pitch in notes)


def bell() -> Wave:
    """One stroke of a bell: the partials of a tuned church bell, hum to nominal."""
    partials = ((0.5, 0.5), (1, 0.9), (1.19, 0.6), (1.5, 0.35), (2, 0.8), (2.74, 0.3), (4.07, 0.15))
    return _struck(440.0, 2.4, partials, 0.7)


def knock() -> Wave:
    """Two knocks on wood."""
    return mixed((start, _struck(190.0, 0.2, ((1, 1.0), (2.3, 0.5), (3.9, 0.25)), 0.03)) for start in (0.0, 0.19))


def ping() -> Wave:
    """A soft drop that nobody jumps at."""
    return _struck(1318.5, 0.7, ((1, 1.0), (2, 0.08)), 0.16, attack=0.012)


def siren() -> Wave:
    """An alarm that goes up and down, for what is critical."""
    moments = _moments(2.4)
    pitch = 780 + 340 * np.sin(2 * np.pi * 1.25 * moments - np.pi / 2)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return sum_of((np.sin(number * phase) / number for number in (1, 2, 3, 5)), len(moments))


def cash_register() -> Wave:
    """Drawer and bell of a till, for orders."""
    drawer = _struck(320.0, 0.12, ((1, 1.0), (1.7, 0.8), (2.9, 0.6), (4.3, 0.4)), 0.018)
    till = _struck(2093.0, 1.1, ((1, 1.0), (1.5, 0.5), (2.67, 0.3)), 0.24)
    return mixed(((0.0, drawer), (0.07, drawer), (0.14, till), (0.24, till)))


def thud() -> Wave:
    """An empty box put down, for stock that runs low."""
    moments = _moments(0.7)
    pitch = 105 + 90 * np.exp(-moments / 0.04)
    body = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.exp(-moments / 0.14)
    return mixed(((0.0, body), (0.0, 0.3 * _struck(410.0, 0.1, ((1, 1.0), (2.2, 0.5)), 0.012))))


def horn() -> Wave:
    """Two low notes of a horn, for what cannot wait."""
    tone = ((1, 0.9), (2, 1.0), (3, 0.7), (4, 0.4), (5, 0.2))
    return mixed((start, _held(pitch, 0.55, tone)) for start, pitch in ((0.0, 233.1), (0.5, 174.6)))


MADE: dict[str, Callable[[], Wave]] = {
    each.__name__: each for each in (bell, cash_register, chime, horn, knock, ping, siren, thud)
}


def finished(wave: Wave) -> Wave:
    """At the peak that all have, and silent at both ends."""
    wave = wave * (PEAK / np.abs(wave).max())
    for edge, seconds in ((slice(None, None, 1), _FADE_IN), (slice(None, None, -1), _FADE_OUT)):
        length = int(seconds * RATE)
        wave[edge][:length] *= 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)
    return wave


def mixed(parts: Iterable[tuple[float, Wave]]) -> Wave:
    """Waves that begin at their second."""
    placed = [(int(start * RATE), wave) for start, wave in parts]
    whole = np.zeros(max(start + len(wave) for start, wave in placed))
    for start, wave in placed:
        whole[start : start + len(wave)] += wave
    return whole


def sum_of(waves: Iterable[Wave], length: int) -> Wave:
    whole = np.zeros(length)
    for wave in waves:
        whole += wave
    return whole


def _struck(
    pitch: float, seconds: float, partials: Iterable[tuple[float, float]], decay: float, attack: float = 0.002
) -> Wave:
    """Something hit: partials by ratio and strength, of which the higher ones are gone sooner."""
    moments = _moments(seconds)
    waves = (
        strength * np.sin(2 * np.pi * pitch * ratio * moments) * np.exp(-moments * max(1.0, ratio) ** 0.7 / decay)
        for ratio, strength in partials
    )
    return sum_of(waves, len(moments)) * np.minimum(1.0, moments / attack)


def _held(pitch: float, seconds: float, partials: Iterable[tuple[float, float]]) -> Wave:
    """Something blown, which swells and stops."""
    moments = _moments(seconds)
    waves = (strength * np.sin(2 * np.pi * pitch * ratio * moments) for ratio, strength in partials)
    return sum_of(waves, len(moments)) * np.minimum(1.0, moments / 0.05) * np.minimum(1.0, (seconds - moments) / 0.08)


def _moments(seconds: float) -> Wave:
    return np.arange(int(seconds * RATE)) / RATE


def picture(wave: Wave) -> str:
    """The wave as an SVG: how far it swings in each of 300 slices."""
    slices = [float(np.abs(part).max()) for part in np.array_split(wave, 300)]
    lines = "".join(f"M{x} {30 - 28 * high:.1f}V{30 + 28 * high:.1f}" for x, high in enumerate(slices))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 60" width="300" height="60">'
        f'<path d="{lines}" stroke="#4263eb"/></svg>\n'
    )


def main() -> None:
    """Write every sound, what is known of it, and its picture."""
    known = {}
    for name, make in sorted(MADE.items()):
        wave = finished(make())
        file = encoded(wave[:, None], "MP3")
        (HERE / f"{name}.mp3").write_bytes(file)
        (PICTURES / f"{name}.svg").write_text(picture(wave))
        seconds = soundfile.info(io.BytesIO(file)).duration
        known[name] = {"digest": hashlib.sha256(file).hexdigest()[:32], "duration_ms": round(seconds * 1000)}
    (HERE / "known.json").write_text(json.dumps(known, indent=2) + "\n")


if __name__ == "__main__":
    main()
