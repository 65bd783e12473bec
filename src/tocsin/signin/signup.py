"""Sign-up: a project with its owner, roles, keys and secrets, in one transaction (A1, A3, W1)."""

import re
import secrets
import unicodedata
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.call import Gate
from tocsin.auth.keys import new_identity_secret, new_key, new_secret
from tocsin.auth.passwords import hash_password
from tocsin.auth.permissions import SERVER_KEY
from tocsin.auth.tenant import RESERVED
from tocsin.kit.db import Env, violated
from tocsin.kit.errors import Conflict, FieldError
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.mail.post import MOST_PER_ADDRESS, within_limit
from tocsin.projects.models import ApiKey, IdentitySecret, Project, RealtimeApp
from tocsin.projects.schemas import EnvName, KeyPair, ProjectAnswer, RealtimeAppAnswer, SignUp, SignUpAnswer
from tocsin.signin.sessions import begin_session
from tocsin.signin.verification import ask_to_verify
from tocsin.users.models import User
from tocsin.users.people import create_user, shown_one
from tocsin.users.roles import install_built_in
from tocsin.users.schemas import UserFields

ENVS: tuple[Env, Env] = ("live", "test")


@dataclass(frozen=True, slots=True)
class Founded:
    """A project in its first moment, with the secrets that are shown this once."""

    project: Project
    owner: User
    api_keys: dict[EnvName, KeyPair]
    identity_secrets: dict[EnvName, str]
    realtime: dict[EnvName, RealtimeAppAnswer]


async def sign_up(gate: Gate, body: SignUp, *, plan: str, actor: Actor, base_url: str) -> SignUpAnswer:
    """Make a project and everything its first minute needs; secrets are in the answer and nowhere else.

    The owner is signed in at once, and mailed a link that proves the address.
    """
    mailed = await _may_be_mailed(gate, body.email)
    password_hash = await hash_password(body.password)
    project_id = new_id()
    pairs = await new_pairs(gate)
    async with gate.db.scope(project_id, "live") as session:
        founded = await found(
            gate,
            session,
            project_id,
            pairs,
            name=body.project_name,
            slug=body.slug,
            plan=plan,
            email=body.email,
            password_hash=password_hash,
        )
        project, owner = founded.project, founded.owner
        if mailed:
            await ask_to_verify(session, gate.vault, base_url, owner)
        tokens = await begin_session(
            gate, session, project_id, owner.id, ip=actor.ip_address, user_agent=actor.user_agent
        )
        await session.flush()
        await session.refresh(project)
        await record(
            session,
            project_id,
            "live",
            Actor("user", str(owner.id), actor.ip_address, actor.user_agent, actor.request_id),
            "project.created",
            "project",
            project_id,
            {"after": {"name": project.name, "slug": project.slug}},
        )
        return SignUpAnswer(
            project=ProjectAnswer.model_validate(project),
            user=await shown_one(session, owner),
            tokens=tokens,
            api_keys=founded.api_keys,
            identity_secrets=founded.identity_secrets,
            realtime=founded.realtime,
        )


@dataclass(frozen=True, slots=True)
class NewPair:
    """A key and its secret, and what is kept of the secret."""

    key: str
    secret: str
    mac: bytes
    hashed: str


async def new_pairs(gate: Gate) -> dict[Env, NewPair]:
    """The first pair of each environment. Hashing takes long, so this comes before any transaction."""
    made = {}
    for env in ENVS:
        secret = new_secret(env)
        made[env] = NewPair(new_key(env), secret, *await gate.credentials.sealed_secret(secret))
    return made


async def found(
    gate: Gate,
    session: AsyncSession,
    project_id: UUID,
    pairs: dict[Env, NewPair],
    *,
    name: str,
    slug: str | None,
    plan: str,
    email: str,
    password_hash: str | None,
) -> Founded:
    """The rows of a new project, in its scope. Without a password its owner has yet to choose one by a link."""
    project = await _new_project(session, project_id, name, slug, plan)
    await gate.vault.new_data_key(session, project_id)
    await install_built_in(session, project_id)
    fields = UserFields.model_construct(_fields_set={"email", "roles"}, email=email, roles=["owner"])
    owner = await create_user(session, project_id, "live", fields, password_hash=password_hash)
    if password_hash is None:
        owner.status = "pending"
    project.owner_id = owner.id
    keys: dict[EnvName, KeyPair] = {}
    for env, pair in pairs.items():
        row = ApiKey(
            project_id=project_id,
            id=new_id(),
            env=env,
            name=f"First {env} key",
            key=pair.key,
            secret_mac=pair.mac,
            secret_hash=pair.hashed,
            permissions=sorted(SERVER_KEY),
            allowed_ips=[],
            created_by=owner.id,
        )
        session.add(row)
        keys[env] = KeyPair(id=row.id, key=pair.key, secret=pair.secret)
    identity: dict[EnvName, str] = {}
    realtime: dict[EnvName, RealtimeAppAnswer] = {}
    for env, pair in pairs.items():
        identity[env] = await _identity_secret(gate, session, project_id, env)
        realtime[env] = await _realtime_app(gate, session, project_id, env, pair.key)
    await session.flush()
    await gate.first_rules(session, project_id, owner.id)
    return Founded(project, owner, keys, identity, realtime)


async def _may_be_mailed(gate: Gate, email: str) -> bool:
    """Whether the address had few enough mails of sign-ups within the hour: each makes a project, so none counts."""
    async with gate.db.scope(PLATFORM_ID, "live") as session:
        return await within_limit(session, PLATFORM_ID, f"address:{email}", MOST_PER_ADDRESS)


async def _new_project(session: AsyncSession, project_id: UUID, name: str, wanted: str | None, plan: str) -> Project:
    slug = wanted or _slug_from(name)
    if slug in RESERVED:
        raise _slug_taken()
    project = Project(id=project_id, name=name, slug=slug, plan=plan)
    try:
        # Added inside: opening a savepoint writes what waits before it.
        async with session.begin_nested():
            session.add(project)
    except IntegrityError as error:
        if violated(error) != "projects_slug_taken":
            raise
        if wanted is not None:
            raise _slug_taken() from None
        project = Project(id=project_id, name=name, slug=f"{slug[:54]}-{secrets.token_hex(4)}", plan=plan)
        session.add(project)
        await session.flush()
    return project


def _slug_from(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:54].strip("-")
    return slug if slug and slug not in RESERVED else f"project-{secrets.token_hex(4)}"


def _slug_taken() -> Conflict:
    detail = "This slug belongs to another project."
    return Conflict("slug_taken", detail, errors=[FieldError("/slug", "slug_taken", detail)])


async def _identity_secret(gate: Gate, session: AsyncSession, project_id: UUID, env: Env) -> str:
    secret = new_identity_secret(env)
    sealed = await gate.vault.seal(session, project_id, "identity_secrets", env, "secret", secret)
    session.add(IdentitySecret(project_id=project_id, env=env, secret=sealed))
    return secret


async def _realtime_app(gate: Gate, session: AsyncSession, project_id: UUID, env: Env, key: str) -> RealtimeAppAnswer:
    secret = secrets.token_hex(20)
    sealed = await gate.vault.seal(session, project_id, "realtime_apps", env, "secret", secret)
    app = RealtimeApp(project_id=project_id, env=env, secret=sealed)
    session.add(app)
    await session.flush()
    await session.refresh(app)
    return RealtimeAppAnswer(app_id=str(app.app_id), key=key, secret=secret)
