"""Sign-up: a project with everything its first minute needs (A1, A2, A3, W1)."""

import re

from tests.client import PASSWORD, Client


async def test_signup_answers_in_the_shape_that_first_clients_rely_on(api: Client) -> None:
    body = {"email": "Ada@First.Example", "password": PASSWORD, "projectName": "Köche & Söhne"}
    reply = await api.post("/signup", body)
    assert reply.status == 201
    answer = reply.json
    assert set(answer) == {"project", "user", "tokens", "apiKeys", "identitySecrets", "realtime"}
    assert answer["project"]["name"] == "Köche & Söhne"
    assert answer["project"]["slug"] == "koche-sohne"
    assert (answer["project"]["status"], answer["project"]["plan"]) == ("active", "enterprise")
    assert answer["user"]["email"] == "ada@first.example"
    assert answer["user"]["roles"] == ["owner"]
    assert answer["tokens"]["tokenType"] == "Bearer"
    assert answer["tokens"]["expiresIn"] == 900
    for env in ("live", "test"):
        pair = answer["apiKeys"][env]
        assert set(pair) == {"id", "key", "secret"}
        assert re.fullmatch(rf"pk_{env}_[0-9A-Za-z]{{30}}", pair["key"])
        assert re.fullmatch(rf"sk_{env}_[0-9A-Za-z]{{49}}", pair["secret"])
        assert answer["identitySecrets"][env].startswith(f"is_{env}_")
        app = answer["realtime"][env]
        assert app["appId"].isdigit()
        assert app["key"] == pair["key"]
        assert app["secret"]
    assert answer["realtime"]["live"]["appId"] != answer["realtime"]["test"]["appId"]
