"""What became of the platform's mails, over HTTP. Links are shown to nobody, but for those of the sandbox."""

from typing import Annotated, Literal

from fastapi import Depends
from sqlalchemy import select

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import NotFound
from tocsin.kit.pagination import Page, Paging, page
from tocsin.kit.schema import PathId
from tocsin.mail.models import Mail
from tocsin.mail.post import details_of
from tocsin.mail.words import written
from tocsin.projects.models import Project
from tocsin.signin.account_schemas import CapturedMail, MailAnswer
from tocsin.signin.models import Invite
from tocsin.users.rights import check_may_give
from tocsin.users.roles import role_names, roles_named

router = guarded_router(tags=["users"])


@router.get("/mails")
@needs("users:manage")
async def list_mails(
    call: Called,
    paging: Annotated[Paging, Depends()],
    state: Literal["queued", "sent", "failed", "captured"] | None = None,
) -> Page[MailAnswer]:
    """Invitations, links and notices that were mailed within 30 days, and what became of each."""
    query = select(Mail) if state is None else select(Mail).where(Mail.state == state)
    found = await page(call.session, query, Mail.id, paging, call.gate.cursors, call.place, MailAnswer.model_validate)
    return Page[MailAnswer](**found)


@router.get("/mails/{mail_id}", operation_id="read_mail")
@needs("users:manage")
async def read(call: Called, mail_id: PathId) -> CapturedMail:
    """One mail. In the sandbox, where nothing is sent, also what it says, for who may give its person's roles."""
    mail = (await call.session.scalars(select(Mail).where(Mail.id == mail_id))).one_or_none()
    if mail is None:
        raise NotFound()
    answer = MailAnswer.model_validate(mail).model_dump()
    return CapturedMail(**answer, captured=await _captured(call, mail) if mail.state == "captured" else None)


async def _captured(call: Call, mail: Mail) -> dict[str, str | None]:
    await _check_may_be(call, mail)
    details = await details_of(call.session, call.gate.vault, call.project_id, mail.id, mail.details)
    project_name = (await call.session.scalars(select(Project.name))).one()
    words = written(mail.kind, project_name, details)
    return {"subject": words.subject, "text": words.text, "url": details.get("url")}


async def _check_may_be(call: Call, mail: Mail) -> None:
    """A link lets its reader be the person, so only those may see it who could give all the person may."""
    if mail.user_id is None:
        return
    held = (await role_names(call.session, [mail.user_id])).get(mail.user_id, [])
    promised = await call.session.scalars(select(Invite.roles).where(Invite.user_id == mail.user_id))
    names = {*held, *(name for roles in promised for name in roles)}
    check_may_give(call.principal.permissions, (await roles_named(call.session, names)).values())
