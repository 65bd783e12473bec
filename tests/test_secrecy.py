"""The search for secrets in logs finds each kind there is."""

import jwt
import pytest
from argon2 import PasswordHasher

from tests.client import PASSWORD, Project
from tests.operators import Operator
from tests.secrecy import spilt


def test_what_a_project_holds_is_found_in_a_log(acme: Project) -> None:
    tokens = acme.signed_up["tokens"]
    held = [
        acme.signed_up["apiKeys"]["live"]["secret"],
        acme.signed_up["identitySecrets"]["test"],
        tokens["accessToken"],
        tokens["refreshToken"],
        acme.email,
        PASSWORD,
        PasswordHasher().hash(PASSWORD),
    ]
    for secret in held:
        assert spilt(f"level=info\nfailed with {secret} at once\nmore".encode()), secret


@pytest.mark.parametrize("line", [b"path=/api/v1/users/01a1fd84-32e4-7000-ab2c-6f6c6b7ca2fe status=404", b"api ready"])
def test_an_ordinary_line_holds_none(line: bytes) -> None:
    assert not spilt(line)


def test_a_token_of_somebody_else_is_found_too() -> None:
    assert spilt(jwt.encode({"sub": "x"}, "k" * 32, algorithm="HS256").encode())


async def test_the_link_of_an_admin_is_found_in_a_log(root: Operator) -> None:
    made = await root.client.post("/platform/admins", {"email": "logged@operator.example", "role": "support"})
    assert spilt(f"sent {made.json['setupUrl']}".encode())
