"""What every refusal looks like, whatever was wrong."""

import re
from collections.abc import Collection, Mapping
from typing import Any

_TRACE = re.compile(
    r"Traceback|File \"|asyncpg|sqlalchemy|pydantic|msgspec|uvicorn|starlette"
    r"|SELECT |INSERT INTO|UPDATE tocsin|tocsin\.[a-z_]+ |relation \"|errors\.pydantic\.dev",
)


def check_problem(
    status: int,
    headers: Mapping[str, str],
    body: Any,
    raw: str,
    expected: Collection[int],
    *,
    keeps: Collection[str] = (),
) -> None:
    """Assert that an answer is a problem of one of these statuses, with nothing of our insides or of ``keeps``."""
    assert status in expected, (status, raw[:600])
    assert headers["Content-Type"] == "application/problem+json"
    assert body["status"] == status
    assert body["type"] == f"https://tocsin.dev/problems/{body['code']}"
    assert body["title"] and body["detail"]
    assert re.fullmatch(r"[a-z0-9_]+", body["code"]), body["code"]
    assert re.fullmatch(r"req_[0-9a-f]+", body["requestId"])
    for error in body.get("errors", []):
        assert error["pointer"] == "" or error["pointer"].startswith("/"), error
        assert error["code"] and error["detail"]
    assert not _TRACE.search(raw), raw[:600]
    for secret in keeps:
        assert secret not in raw
