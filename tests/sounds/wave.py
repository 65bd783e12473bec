"""Files of sound as people upload them, made by libsndfile."""

import io
from typing import Any

import numpy as np
import soundfile  # type: ignore[import-untyped]

RATE = 44_100


def tone(
    format_: str = "WAV",
    subtype: str | None = None,
    *,
    seconds: float = 0.5,
    rate: int = RATE,
    channels: int = 1,
    pitch: float = 440.0,
    loud: float = 0.5,
) -> bytes:
    moments = np.arange(int(seconds * rate)) / rate
    samples = np.tile((loud * np.sin(2 * np.pi * pitch * moments))[:, None], (1, channels))
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format_, subtype=subtype)
    return file.getvalue()


def heard(file: bytes) -> tuple[Any, int]:
    """Samples, frames by channels, and their rate."""
    samples, rate = soundfile.read(io.BytesIO(file), always_2d=True)
    return samples, rate


def pitch_of(file: bytes) -> float:
    """The loudest frequency, in Hz."""
    samples, rate = heard(file)
    spectrum = np.abs(np.fft.rfft(samples[:, 0]))
    return float(spectrum.argmax() * rate / len(samples))
