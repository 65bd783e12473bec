"""What a platform admin may do inside a project while a visit is open (T4).

A visit is a row of the project: who, why, until when, and whether it writes. It is read with every request, so
it ends for every process at once; on sockets it ends what was signed during it (``realtime.grants``).
"""

from sqlalchemy import text

from tocsin.auth.permissions import PERMISSIONS, SERVER_KEY
from tocsin.auth.principal import OpenVisit, Principal
from tocsin.kit.db import Database, Env
from tocsin.kit.errors import Forbidden
from tocsin.kit.ids import parse_id

_READS = frozenset(name for name in PERMISSIONS if name.endswith(":read"))
_HELPS = SERVER_KEY - {"keys:manage", "roles:manage"}
"""Without what would leave a credential or a right behind when the visit is over."""

_FIND_PROJECT = text("SELECT project_id FROM tocsin.find_project(:slug)")
_OPEN_VISIT = text("""
SELECT v.id, v.expires_at, v.writes, p.slug, p.status FROM tocsin.visits v JOIN tocsin.projects p ON p.id = v.project_id
WHERE v.project_id = :project AND v.admin_id = :admin AND v.ended_at IS NULL AND v.expires_at > now()
ORDER BY v.id DESC LIMIT 1
""")


async def visitor(db: Database, admin: Principal, env: Env, wanted: str) -> Principal:
    """The admin as a caller of the project that ``wanted`` (id or slug) names; raises Forbidden without a visit."""
    project_id = parse_id(wanted)
    if project_id is None:
        async with db.unscoped() as session:
            project_id = await session.scalar(_FIND_PROJECT, {"slug": wanted})
    if project_id is None or not admin.may("platform:enter"):
        raise _not_inside()
    async with db.scope(project_id, env) as session:
        where = {"project": project_id, "admin": admin.id}
        visit = (await session.execute(_OPEN_VISIT, where)).one_or_none()
    if visit is None or admin.session_id is None:
        raise _not_inside()
    return Principal(
        kind="platform_admin",
        project_id=project_id,
        project_slug=visit.slug,
        project_status=visit.status,
        env=env,
        permissions=allowed_inside(admin, writes=visit.writes),
        session_id=None,
        admin_id=admin.user_id,
        visit=OpenVisit(visit.id, visit.expires_at, admin.session_id),
        roles=admin.roles,
    )


def leads(admin: Principal) -> bool:
    """Whether this admin runs projects anyway, and so is let in as a project's own admin would be."""
    return admin.may("platform:projects")


def allowed_inside(admin: Principal, *, writes: bool) -> frozenset[str]:
    """By what the admin is now: who was demoted during a visit has less from the next request on."""
    if not writes:
        return _READS
    return SERVER_KEY if leads(admin) else _HELPS


def _not_inside() -> Forbidden:
    return Forbidden(
        "login_as_required", "Begin a visit first: POST /platform/projects/{id}/login-as; it may have ended."
    )
