"""Stored credentials are never shown to a server that they were not given for."""

from typing import Any

import pytest

from tests.client import Project

SETTINGS = {"host": "smtp.example.com", "fromAddress": "alerts@example.com"}
LOGIN = {"username": "alerts", "password": "a-password-of-ours"}


async def _made(acme: Project) -> dict[str, Any]:
    body = {"provider": "smtp", "name": "Mail", "settings": SETTINGS, "credentials": LOGIN}
    answer = await acme.key.post("/connections", body)
    assert answer.status == 201, answer.json
    return answer.json


@pytest.mark.parametrize("change", [{"host": "smtp.attacker.example"}, {"port": 25}, {"security": "tls", "port": 465}])
async def test_another_server_needs_the_password_again(acme: Project, change: dict[str, Any]) -> None:
    made = await _made(acme)
    answer = await acme.key.put(f"/connections/{made['id']}", {"settings": {**SETTINGS, **change}})
    assert answer.status == 422, answer.json
    assert [error["pointer"] for error in answer.json["errors"]] == ["/credentials/password"]


async def test_another_server_is_taken_with_the_password(acme: Project) -> None:
    made = await _made(acme)
    body = {"settings": {**SETTINGS, "host": "smtp2.example.com"}, "credentials": LOGIN}
    answer = await acme.key.put(f"/connections/{made['id']}", body)
    assert answer.status == 200, answer.json


async def test_another_sender_needs_no_password(acme: Project) -> None:
    made = await _made(acme)
    body = {"settings": {**SETTINGS, "port": 587, "security": "starttls", "fromName": "Acme"}}
    answer = await acme.key.put(f"/connections/{made['id']}", body)
    assert answer.status == 200, answer.json
