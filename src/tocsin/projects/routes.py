"""The project itself over HTTP."""

from sqlalchemy import select

from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.projects.models import Project
from tocsin.projects.schemas import ProjectAnswer, ProjectUpdate

router = guarded_router()


@router.get("/projects/me", tags=["project"])
@needs("project:read")
async def read_project(call: Called) -> ProjectAnswer:
    return ProjectAnswer.model_validate((await call.session.scalars(select(Project))).one())


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
