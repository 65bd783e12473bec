"""The project itself over HTTP."""

from sqlalchemy import select, text

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer, ProjectDetails, ProjectUpdate

router = guarded_router()


@router.get("/projects/me", tags=["project"])
@needs("project:read")
async def read_project(call: Called) -> ProjectDetails:
    project = (await call.session.scalars(select(Project))).one()
    has = (await call.session.execute(_HAS)).one()
    return ProjectDetails(**ProjectAnswer.model_validate(project).model_dump(), **has._mapping)


_HAS = text("""
SELECT (SELECT domain FROM tocsin.domains) AS domain, (SELECT issuer FROM tocsin.identity_providers) AS sso_issuer
""")


@router.put("/projects/me", tags=["project"])
@needs("project:manage")
async def change_project(call: Called, body: ProjectUpdate) -> ProjectAnswer:
    project = (await call.session.scalars(select(Project))).one()
    before = ProjectAnswer.model_validate(project).model_dump(mode="json", by_alias=True)
    for name, value in body.model_dump(exclude_unset=True).items():
        if value is not None or name == "description":
            setattr(project, name, value)
    await call.session.flush()
    await call.session.refresh(project)
    answer = ProjectAnswer.model_validate(project)
    after = answer.model_dump(mode="json", by_alias=True)
    await call.audit("project.updated", "project", project.id, before=before, after=after)
    return answer
