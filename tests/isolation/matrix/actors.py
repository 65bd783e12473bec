"""Who tries: callers of one project with more or less in their hands, and callers with nothing that counts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.client import PASSWORD, Client, Reply
from tests.isolation.matrix.cases import CODE, OPERATIONS, Case
from tests.isolation.matrix.seeds import Scene
from tests.people import join
from tests.signin.authenticator import enrolled


@dataclass(frozen=True)
class Actors:
    """Callers by what they hold."""

    own: Mapping[str, Client]
    """Those for whom the project's own cases succeed."""
    others: Mapping[str, Client]

    def trying(self, case: Case) -> Mapping[str, Client]:
        """Whoever holds the kind of credential that the operation takes."""
        security = OPERATIONS[case.operation].described.get("security")
        if not security:
            return {"nobody": self.own["nobody"]}
        if security == [{"publicKey": []}]:
            return {"app": self.own["app"], "revoked app": self.others["revoked app"]}
        bearers = {name: self.own[name] for name in ("owner", "key", "person")}
        return {**bearers, **{name: caller for name, caller in self.others.items() if name != "revoked app"}}


async def actors(scene: Scene) -> Actors:
    project, api = scene.project, scene.working.api
    _, narrow_key = await project.new_key("events:write")
    revoked, revoked_key = await project.new_key("rules:manage", "users:manage")
    assert (await project.owner.delete(f"/projects/me/api-keys/{revoked['id']}")).status == 204
    second, third = await _login(scene), await _login(scene)
    assert (await third.post("/auth/logout")).status == 204
    return Actors(
        own={
            "owner": project.owner,
            "key": project.key,
            "person": scene.person.client,
            "app": project.app,
            "nobody": api,
            "second owner": second,
            "enrolled": await _enrolled(scene),
            "protected": await _protected(scene),
            "protected, too": await _protected(scene),
            "operator": scene.operator,
        },
        others={
            "viewer": scene.viewer,
            "narrow key": narrow_key,
            "test key": project.test_key,
            "revoked key": revoked_key,
            "signed out": third,
            "anonymous": api,
            "revoked app": api.with_public_key(revoked["key"]),
        },
    )


class WithCode(Client):
    """Puts a code of the second factor where the call has none yet."""

    def __init__(self, client: Client, code: Callable[[], str]) -> None:
        super().__init__(client.http, client.base, client.headers)
        self._code = code

    async def send(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        if isinstance(body, dict) and body.get("code") == CODE:
            body = {**body, "code": self._code()}
        return await super().send(method, path, body, **options)


async def _enrolled(scene: Scene) -> WithCode:
    somebody = (await join(scene.working.api, scene.project)).client
    return WithCode(somebody, (await enrolled(somebody)).code)


async def _protected(scene: Scene) -> WithCode:
    somebody = await _enrolled(scene)
    reply = await somebody.post("/auth/2fa/confirm", {"code": CODE})
    assert reply.status == 200, reply.json
    return WithCode(somebody, reply.json["recoveryCodes"].pop)


async def _login(scene: Scene) -> Client:
    api, project = scene.working.api, scene.project
    reply = await api.post("/auth/login", {"email": project.email, "password": PASSWORD, "project": project.slug})
    assert reply.status == 200, reply.json
    return api.with_token(reply.json["tokens"]["accessToken"])
