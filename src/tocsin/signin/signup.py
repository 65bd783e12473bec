"""Sign-up: a project with its owner, roles, keys and secrets, in one transaction (A1, A3, W1)."""

import re
import secrets
import unicodedata
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from tocsin.audit.record import Actor, record
from tocsin.auth.guard import Gate
from tocsin.auth.keys import new_identity_secret, new_key, new_secret
from tocsin.auth.passwords import hash_password
from tocsin.auth.permissions import SERVER_KEY
from tocsin.auth.tenant import RESERVED
from tocsin.kit.db import Env, violated
from tocsin.kit.errors import Conflict, FieldError
from tocsin.kit.ids import PLATFORM_ID, new_id
from tocsin.mail.post import MOST_PER_ADDRESS, within_limit
from tocsin.projects.models import ApiKey, IdentitySecret, Project, RealtimeApp
from tocsin.projects.schemas import KeyPair, ProjectAnswer, RealtimeAppAnswer, SignUp, SignUpAnswer
from tocsin.signin.sessions import begin_session
from tocsin.signin.verification import ask_to_verify
from tocsin.users.people import create_user, shown_one
from tocsin.users.roles import install_built_in
from tocsin.users.schemas import UserFields

ENVS: tuple[Env, Env] = ("live", "test")


async def sign_up(gate: Gate, body: SignUp, *, plan: str, actor: Actor, base_url: str) -> SignUpAnswer:
    """Make a project and everything its first minute needs; secrets are in the answer and nowhere else.

    The owner is signed in at once, and mailed a link that proves the address.
    """
    mailed = await _may_be_mailed(gate, body.email)
    password_hash = await hash_password(body.password)
    pairs = {env: (new_key(env), new_secret(env)) for env in ENVS}
    kept = {env: await gate.credentials.sealed_secret(secret) for env, (_, secret) in pairs.items()}
    project_id = new_id()
    async with gate.db.scope(project_id, "live") as session:
        project = await _new_project(session, project_id, body, plan)
        await gate.vault.new_data_key(session, project_id)
        await install_built_in(session, project_id)
        fields = UserFields.model_construct(_fields_set={"email", "roles"}, email=body.email, roles=["owner"])
        owner = await create_user(session, project_id, "live", fields, password_hash=password_hash)
        project.owner_id = owner.id
        keys = {}
        for env in ENVS:
            key, secret = pairs[env]
            mac, hashed = kept[env]
            row = ApiKey(
                project_id=project_id,
                id=new_id(),
                env=env,
                name=f"First {env} key",
                key=key,
                secret_mac=mac,
                secret_hash=hashed,
                permissions=sorted(SERVER_KEY),
                allowed_ips=[],
                created_by=owner.id,
            )
            session.add(row)
            keys[env] = KeyPair(id=row.id, key=key, secret=secret)
        identity = {env: await _identity_secret(gate, session, project_id, env) for env in ENVS}
        realtime = {env: await _realtime_app(gate, session, project_id, env, keys[env].key) for env in ENVS}
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
            api_keys=keys,
            identity_secrets=identity,
            realtime=realtime,
        )


async def _may_be_mailed(gate: Gate, email: str) -> bool:
    """Whether the address had few enough mails of sign-ups within the hour: each makes a project, so none counts."""
    async with gate.db.scope(PLATFORM_ID, "live") as session:
        return await within_limit(session, PLATFORM_ID, f"address:{email}", MOST_PER_ADDRESS)


async def _new_project(session: AsyncSession, project_id: UUID, body: SignUp, plan: str) -> Project:
    slug = body.slug or _slug_from(body.project_name)
    if slug in RESERVED:
        raise _slug_taken()
    project = Project(id=project_id, name=body.project_name, slug=slug, plan=plan)
    try:
        # Added inside: opening a savepoint writes what waits before it.
        async with session.begin_nested():
            session.add(project)
    except IntegrityError as error:
        if violated(error) != "projects_slug_taken":
            raise
        if body.slug is not None:
            raise _slug_taken() from None
        project = Project(id=project_id, name=body.project_name, slug=f"{slug[:54]}-{secrets.token_hex(4)}", plan=plan)
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
