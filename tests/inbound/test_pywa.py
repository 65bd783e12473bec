"""Our side of the Cloud API beside somebody else's: what pywa sends, believes and reads.

It is installed into an environment of its own, for its dependencies are none of ours.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.channels.conftest import MESSAGE
from tests.channels.far_end import answering
from tests.inbound.numbers import Number, payload, reported, signature, wamid, written
from tests.node import CACHE
from tocsin.channels.whatsapp import reports, words

HERE = Path(__file__).parent / "pywa"
SECRET = "canary-app-secret-0123456789"
NUMBER = "106540352242922"
HIDDEN = "US.13491208655302741918"


@pytest.fixture(scope="module")
def pywa() -> Path:
    """Its Python; made once per list of packages, elsewhere first, so that a broken one is never found complete."""
    packages = HERE / "requirements.txt"
    ready = CACHE.parent / "pywa" / hashlib.sha256(packages.read_bytes()).hexdigest()[:16]
    if not ready.exists():
        filling = ready.with_name(f"{ready.name}.{os.getpid()}")
        shutil.rmtree(filling, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", filling], check=True, timeout=120)
        install = [filling / "bin" / "python", "-m", "pip", "install", "-q", "--no-deps", "--require-hashes"]
        subprocess.run([*install, "-r", packages], check=True, timeout=300)
        try:
            filling.rename(ready)
        except OSError:  # another test run was first
            shutil.rmtree(filling)
    return ready / "bin" / "python"


async def asked(pywa: Path, **question: Any) -> Any:
    def ask() -> Any:
        done = subprocess.run(
            [pywa, HERE / "counterpart.py"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ.get("PATH", "")},
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return json.loads(done.stdout)

    return await asyncio.to_thread(ask)


ACCEPTED = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": "16505551234", "wa_id": "16505551234", "user_id": HIDDEN}],
    "messages": [{"id": wamid(), "message_status": "accepted"}],
}


async def test_we_send_what_pywa_sends(pywa: Path) -> None:
    async with answering(200, json.dumps(ACCEPTED)) as far:
        await asked(
            pywa,
            do="send",
            url=far.url,
            number=NUMBER,
            token="a-token",
            to="16505551234",
            text="Too hot\nLook.",
            template="alert",
            parameters=["Too hot", "Look."],
        )
    text, template = far.asked
    assert {each.path for each in far.asked} == {f"/{NUMBER}/messages"}
    assert {each.headers["Authorization"] for each in far.asked} == {"Bearer a-token"}
    message = replace(MESSAGE, title="Too hot", message="Look.", ack_url=None, action=None)
    to = words.envelope("16505551234")
    assert to | words.free(message) == text.json
    theirs = template.json
    theirs["template"]["components"][0]["type"] = theirs["template"]["components"][0]["type"].lower()  # Meta takes both
    assert to | words.templated(message, "alert", "en_US", ["title", "message"]) == theirs


async def test_we_believe_the_signatures_that_pywa_believes(pywa: Path) -> None:
    body = json.dumps({"text": "héllo \U0001f600"}).encode()
    right = signature(body, SECRET)
    calls = [
        (body, right),
        (body + b" ", right),
        (body, signature(body, "another secret of an app")),
        (body, "sha256=" + "0" * 64),
        (body, "sha256="),
        (body, ""),
        (b"", signature(b"", SECRET)),
    ]
    theirs = await asked(pywa, do="check", secret=SECRET, calls=[(raw.hex(), shown) for raw, shown in calls])
    assert [reports.is_genuine({reports.SIGNATURE: shown}, raw, SECRET) for raw, shown in calls] == theirs
    assert theirs == [True, False, False, False, False, False, True]


async def test_we_read_what_pywa_reads_and_the_elements_behind_the_first(pywa: Path) -> None:
    number = Number({}, NUMBER, "102290129340398", cast(Any, None), "", "", "")
    contact = {"profile": {"name": "Ann"}, "wa_id": "16505551234", "user_id": HIDDEN}
    first, second = written(from_user_id=HIDDEN), written(from_user_id=HIDDEN)
    status = reported(wamid(), "delivered", recipient_user_id=HIDDEN)
    calls = [
        payload(number, contacts=[contact], messages=[first, second]),
        payload(number, contacts=[contact], statuses=[status]),
    ]
    theirs = await asked(pywa, do="parse", number=NUMBER, calls=[json.dumps(call) for call in calls])
    assert theirs == [["message", first["id"], HIDDEN], ["status", status["id"], "delivered"]]
    ours = [(item.payload["kind"], item.payload["told"]["id"]) for call in calls for item in reports.items(call)]
    assert ours == [("message", first["id"]), ("message", second["id"]), ("status", status["id"])]
