"""People who come through an app that holds only the public key (A5).

Either they register alone and wait for approval, or the project's own backend vouches for them in an
identity token: a JWT (HS256) signed with the project's identity secret, for this project, at most ten
minutes ahead, used once, and never worth more than an ordinary user's rights.
"""

from datetime import UTC, datetime
from typing import Any

import jwt
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from tocsin.auth.call import Call
from tocsin.auth.permissions import opens_panel
from tocsin.kit.errors import Conflict, FieldError, Forbidden, Invalid, Unauthorized
from tocsin.kit.ids import new_id
from tocsin.kit.schema import iso
from tocsin.plans.totals import refuse_when_full
from tocsin.users.contact import normal_email
from tocsin.users.models import Role, User
from tocsin.users.people import change_user, create_user, find_by_external_id
from tocsin.users.roles import give_roles, role_names
from tocsin.users.schemas import Register, UserFields

MOST_AHEAD_SECONDS = 600


async def register_alone(call: Call, body: Register) -> tuple[User | None, str]:
    """A pending person, or None when the e-mail or id is known already; the caller answers alike for both.

    A person whose every wished role is self-assignable (and who wished for one) is let in at once. Where the project
    lets people in by e-mail (setting ``registration`` is ``email``), who gives one is unverified until it is proven.
    """
    if body.email is None and body.external_user_id is None:
        raise Invalid([FieldError("", "no_identity", "Give an email, an externalUserId or an identityToken.")])
    await refuse_when_full(call.session, call.project_id, call.env, "users")
    wished = list(await call.session.scalars(select(Role).where(Role.name.in_(body.roles))))
    granted = [role for role in wished if role.self_assignable and not opens_panel(role.permissions)]
    by_email = body.email is not None and await _lets_in_by_email(call)
    at_once = not by_email and bool(granted) and len(granted) == len(set(body.roles))
    status = "unverified" if by_email else "active" if at_once else "pending"
    values = {
        "project_id": call.project_id,
        "id": new_id(),
        "env": call.env,
        "email": body.email,
        "external_user_id": body.external_user_id,
        "name": body.name,
        "status": status,
        "self_registered": True,
        "wished_roles": [] if at_once else [role.name for role in wished if not opens_panel(role.permissions)],
    }
    user = (
        await call.session.scalars(insert(User).values(values).on_conflict_do_nothing().returning(User))
    ).one_or_none()
    if user is not None and at_once:
        await give_roles(call.session, call.project_id, call.env, {user.id: granted})
    return user, status


async def _lets_in_by_email(call: Call) -> bool:
    said: str | None = await call.session.scalar(text("SELECT settings->>'registration' FROM tocsin.projects"))
    return said == "email"


async def register_vouched(call: Call, token: str) -> tuple[User, bool]:
    """The person an identity token speaks of; always active, never an admin. True: they are new."""
    claims = await _read(call, token)
    external_id = claims["sub"]
    fields = _fields(claims)
    await _check_roles(call, fields)
    user = await find_by_external_id(call.session, external_id)
    if user is not None and user.env != call.env:
        raise Forbidden("live_object", "This person belongs to the live environment.")
    if user is None:
        await _check_email_free(call, fields.email)
        return await create_user(call.session, call.project_id, call.env, fields), True
    await _check_may_vouch(call, user)
    if fields.email is not None and fields.email != user.email:
        await _check_email_free(call, fields.email)
    await change_user(call.session, user, _said(fields, user))
    return user, False


def _said(fields: UserFields, user: User) -> UserFields:
    """What a token changes of somebody who is known: it says nothing by leaving out, and it lets them in."""
    said = {name: value for name in ("email", "name", "roles") if (value := getattr(fields, name)) not in (None, [])}
    if user.status in ("pending", "unverified"):
        said["status"] = "active"
    return UserFields.model_construct(_fields_set=set(said), **said)


async def _read(call: Call, token: str) -> dict[str, Any]:
    for secret in await _secrets(call):
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                secret,
                algorithms=["HS256"],
                audience=str(call.project_id),
                options={"require": ["sub", "aud", "exp", "jti"]},
            )
        except (jwt.InvalidSignatureError, jwt.InvalidKeyError):
            continue
        except (jwt.InvalidTokenError, OverflowError, ValueError, TypeError) as error:
            raise _refused(str(error)) from None
        await _use_once(call, claims)
        return claims
    raise _refused("it is not signed with this project's identity secret")


async def _secrets(call: Call) -> list[str]:
    row = (
        await call.session.execute(
            text("SELECT secret, previous_secret, previous_until FROM tocsin.identity_secrets WHERE env = :env"),
            {"env": call.env},
        )
    ).one()
    sealed = [("secret", row.secret)]
    if row.previous_secret is not None and row.previous_until > datetime.now(UTC):
        sealed.append(("previous_secret", row.previous_secret))
    return [await call.open("identity_secrets", call.env, field, value) for field, value in sealed]


async def _use_once(call: Call, claims: dict[str, Any]) -> None:
    jti, exp = claims["jti"], claims["exp"]
    if not isinstance(jti, str) or not 1 <= len(jti) <= 200 or "\0" in jti:
        raise _refused("jti must be a text of 1 to 200 characters")
    if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 200 or "\0" in claims["sub"]:
        raise _refused("sub must be the person's externalUserId, 1 to 200 characters")
    if exp > datetime.now(UTC).timestamp() + MOST_AHEAD_SECONDS:
        raise _refused("exp may be ten minutes ahead at most")
    first = await call.session.scalar(
        text(
            "INSERT INTO tocsin.used_tokens (project_id, env, jti, expires_at)"
            " VALUES (:project, :env, :jti, :expires) ON CONFLICT DO NOTHING RETURNING jti"
        ),
        {
            "project": call.project_id,
            "env": call.env,
            "jti": jti,
            "expires": datetime.fromtimestamp(exp, UTC),
        },
    )
    if first is None:
        raise _refused(f"it was used before (jti, kept until {iso(datetime.fromtimestamp(exp, UTC))})")


def _fields(claims: dict[str, Any]) -> UserFields:
    """What the token says of the person, in the shape of any other user."""
    email, name, roles = claims.get("email"), claims.get("name"), claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise _refused("roles must be a list of names")
    if name is not None and (not isinstance(name, str) or len(name) > 200 or "\0" in name):
        raise _refused("name must be a text of 200 characters at most")
    if email is not None:
        try:
            email = normal_email(str(email))
        except ValueError as error:
            raise _refused(f"email {error}") from None
    return UserFields.model_construct(
        _fields_set={"email", "name", "external_user_id", "roles"},
        email=email,
        name=name,
        external_user_id=claims["sub"],
        roles=roles,
    )


async def _check_roles(call: Call, fields: UserFields) -> None:
    roles = list(await call.session.scalars(select(Role).where(Role.name.in_(fields.roles or []))))
    missing = set(fields.roles or []) - {role.name for role in roles}
    if missing or any(opens_panel(role.permissions) for role in roles):
        raise Forbidden("role_not_allowed", "An identity token may only give roles without panel permissions.")


async def _check_email_free(call: Call, email: str | None) -> None:
    """A token never takes over an account: an e-mail that belongs to somebody stays theirs."""
    if email is None:
        return
    holder = (await call.session.scalars(select(User).where(User.email == email).limit(1))).one_or_none()
    if holder is not None:
        raise Conflict("email_taken", "Another user of this project has this e-mail.")


async def _check_may_vouch(call: Call, user: User) -> None:
    if user.status == "disabled":
        raise Forbidden("user_disabled", "This user is disabled.")
    names = (await role_names(call.session, [user.id])).get(user.id, [])
    roles = await call.session.scalars(select(Role).where(Role.name.in_(names)))
    if any(opens_panel(role.permissions) for role in roles):
        raise Forbidden("role_not_allowed", "This user has panel permissions and signs in with a password.")


def _refused(reason: str) -> Unauthorized:
    return Unauthorized("invalid_identity_token", f"The identity token is refused: {reason}.")
