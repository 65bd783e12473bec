"""Files of tenants, decoded and encoded anew where nothing they do hurts: in a process for each (`child`)."""

import asyncio
import signal
import sys
from contextlib import suppress

import msgspec

from tocsin.kit.errors import FieldError, Invalid, Problem, Unavailable, UnsupportedMediaType
from tocsin.kit.lifeline import bare_environment, tied_to_parent
from tocsin.sounds.bounds import LEAST_RATE, MOST_CHANNELS, MOST_RATE, MOST_SECONDS, Outcome

AT_ONCE = 2
MOST_WAITING = 10
SECONDS = 30.0
MOST_OUTCOME = 8 << 20
"""Bytes; 30 seconds of two channels as WAV have 5.3 million."""

_KINDS = "WAV, AIFF, CAF, FLAC, Ogg (Vorbis, Opus) and MP3"
_WORDS = {
    "damaged": "The file breaks off or is damaged: it cannot be decoded to its end.",
    "empty": "There is no sound in the file.",
    "too_long": f"A sound may play for {MOST_SECONDS:.0f} seconds at most.",
    "channels": f"A sound has one channel or {MOST_CHANNELS}.",
    "rate": f"A sound has {LEAST_RATE:,} to {MOST_RATE:,} samples a second.",
    "unplayable": "The file cannot be decoded within the time and memory that one may take.",
}

_DECODE = msgspec.msgpack.Decoder(Outcome)


class Recoder:
    """One per process. Few run at once, few wait, and who comes on top of that is sent away."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._here = 0

    async def recoded(self, file: bytes, format_: str = "MP3") -> Outcome:
        """The file in this format. Raises the Problem that is wrong with it, or Unavailable."""
        if self._here >= AT_ONCE + MOST_WAITING:
            raise Unavailable("sounds_busy", "Too many sounds are being decoded at the moment; try again.", 5)
        self._here += 1
        try:
            async with self._free:
                outcome = await _outcome(file, format_)
        finally:
            self._here -= 1
        if outcome.problem:
            raise _refusal(outcome.problem)
        return outcome


async def _outcome(file: bytes, format_: str) -> Outcome:
    process = await _started(format_)
    try:
        async with asyncio.timeout(SECONDS):
            _, answer = await asyncio.gather(_feed(process, file), _read(process))
        return _DECODE.decode(answer)
    except (TimeoutError, ConnectionError, msgspec.MsgspecError):
        return Outcome("unplayable")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _started(format_: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    try:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", "tocsin.sounds.child", format_),
            stdin=pipe,
            stdout=pipe,
            env=bare_environment(OPENBLAS_NUM_THREADS="1"),  # each thread maps memory
            cwd="/",
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )
    except OSError as error:
        raise Unavailable("sounds_unavailable", "The system starts no process to decode sounds in.", 5) from error


async def _feed(process: asyncio.subprocess.Process, file: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(file)
    await process.stdin.drain()
    process.stdin.close()


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    answer = b""
    while part := await process.stdout.read(1 << 20):
        answer += part
        if len(answer) > MOST_OUTCOME:
            raise ConnectionError("the process says more than it can have to say")
    return answer


def _refusal(problem: str) -> Problem:
    if problem == "unknown_format":
        return UnsupportedMediaType("unknown_sound_format", f"This is no sound that is known: {_KINDS} are.")
    return Invalid([FieldError("/file", f"sound_{problem}", _WORDS[problem])], code=f"sound_{problem}")
