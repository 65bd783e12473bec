"""Sound as bytes and as samples. Here is libsndfile, through NumPy: nothing that answers requests imports this.

Samples are frames by channels, within -1 and 1.
"""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile  # type: ignore[import-untyped]
from numpy.fft import irfft, rfft

from tocsin.sounds.bounds import LEAST_RATE, MOST_CHANNELS, MOST_RATE, MOST_SECONDS, Outcome

Samples = npt.NDArray[Any]

RATE = 44_100
"""Samples a second of everything that is kept."""
PEAK = 0.9
"""Of full scale; louder files are turned down, since MP3 swings further than what it was made of."""

_FORMATS = frozenset({"WAV", "WAVEX", "RF64", "AIFF", "CAF", "FLAC", "OGG", "MP3"})
_SUBTYPES = {"MP3": "MPEG_LAYER_III", "WAV": "PCM_16"}
_OPTIONS: dict[str, dict[str, Any]] = {"MP3": {"compression_level": 0.5, "bitrate_mode": "VARIABLE"}, "WAV": {}}
_FAILURES = (soundfile.SoundFileError, TypeError, ValueError, OSError)
_BLOCK = 65_536


class _Refused(Exception):
    """With the ``problem`` of an `Outcome`."""


def recoded(file: bytes, format_: str) -> Outcome:
    """The same sound in another format, ``MP3`` or ``WAV``, or what is wrong with it."""
    try:
        opened = _opened(file)
        blocks = list(_blocks(opened))
        if not blocks:
            raise _Refused("empty")
        samples = _resampled(np.concatenate(blocks), opened.samplerate)
    except _Refused as refusal:
        return Outcome(str(refusal))
    loudest = float(np.abs(samples).max())
    if loudest > PEAK:
        samples *= PEAK / loudest
    return Outcome("", encoded(samples, format_), round(1000 * len(samples) / RATE))


def encoded(samples: Samples, format_: str) -> bytes:
    """A file without any tags."""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=format_, subtype=_SUBTYPES[format_], **_OPTIONS[format_])
    return file.getvalue()


def _opened(file: bytes) -> Any:
    try:
        opened = soundfile.SoundFile(io.BytesIO(file))
    except _FAILURES:
        raise _Refused("unknown_format") from None
    if opened.format not in _FORMATS:
        raise _Refused("unknown_format")
    if not 1 <= opened.channels <= MOST_CHANNELS:
        raise _Refused("channels")
    if not LEAST_RATE <= opened.samplerate <= MOST_RATE:
        raise _Refused("rate")
    return opened


def _blocks(opened: Any) -> Iterator[Samples]:
    """What is in the file, whatever its header says, until it is too much."""
    left = int(MOST_SECONDS * opened.samplerate)
    while True:
        try:
            block = opened.read(_BLOCK, dtype="float32", always_2d=True)
        except _FAILURES:
            raise _Refused("damaged") from None
        if not len(block):
            return
        left -= len(block)
        if left < 0:
            raise _Refused("too_long")
        # Files of floats hold whatever they like, infinity too.
        yield np.clip(np.nan_to_num(block), -1, 1)


def _resampled(samples: Samples, rate: int) -> Samples:
    """The same at our rate, by its spectrum: what that rate cannot carry is left out."""
    if rate == RATE:
        return samples
    return np.stack([_channel(each, rate) for each in samples.T], axis=1)


def _channel(samples: Samples, rate: int) -> Samples:
    frames = len(samples)
    # Whole seconds, so that both lengths are whole, and a second of silence for what rings on at the ends.
    seconds = -(-frames // rate) + 1
    spectrum = rfft(samples, seconds * rate)[: seconds * RATE // 2 + 1]
    return irfft(spectrum, seconds * RATE)[: max(1, round(frames * RATE / rate))] * (RATE / rate)
