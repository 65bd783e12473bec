"""Schemathesis reads the document, calls everything in it rightly and wrongly, and finds nothing to complain of.

`schemathesis.toml` says which checks are off where, and why. `TOCSIN_FUZZ_EXAMPLES` makes the run longer.
"""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

from tests.client import Client, sign_up
from tests.engines import temporary_folder

CONFIG = Path(__file__).parent / "schemathesis.toml"
ROOT = CONFIG.parents[2]
EXAMPLES = os.environ.get("TOCSIN_FUZZ_EXAMPLES", "4")
SECONDS = 300 + 20 * int(EXAMPLES)


async def test_schemathesis_finds_nothing_to_complain_of(api: Client) -> None:
    project = await sign_up(api, "Fuzzed")
    command = Path(sys.executable).with_name("schemathesis")
    assert command.exists() or shutil.which("schemathesis")
    with temporary_folder() as folder:
        run = await asyncio.create_subprocess_exec(
            str(command),
            *("--config-file", str(CONFIG), "run", f"{api.base}/openapi.json"),
            *("--phases", "examples,coverage,fuzzing", "--max-examples", EXAMPLES, "--seed", "1"),
            *("--no-color", "--continue-on-failure", "--request-timeout", "10"),
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
                "TOCSIN_KEY": project.key.headers["X-API-Key"],
                "TOCSIN_SECRET": project.key.headers["X-API-Secret"],
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(run.communicate(), SECONDS)
    report = output.decode(errors="replace")
    assert run.returncode == 0, report[-20_000:]
    cases = re.search(r"(\d+) generated, (\d+) passed", report.replace(",", ","))
    assert cases is not None and int(cases[1]) > 1_000, report[-2_000:]
