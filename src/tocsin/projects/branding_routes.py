"""How a project looks, and how long it keeps what (P4): its own words, over HTTP."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from sqlalchemy import select
from yarl import URL

from tocsin.auth.call import Call
from tocsin.auth.guard import Called, guarded_router, needs
from tocsin.kit.errors import Invalid
from tocsin.kit.schema import Answer, Body, Text
from tocsin.projects.custom_css import Unsafe, checked
from tocsin.projects.models import Domain, Project
from tocsin.users.contact import Email

router = guarded_router(tags=["project"])

LONGEST_URL = 2_000


def _https(value: str) -> str:
    """An address that browsers may load a picture from; we never do."""
    try:
        url = URL(value)
    except ValueError:
        raise ValueError("is no address") from None
    if url.scheme != "https" or not url.host or url.user is not None or url.password is not None:
        raise ValueError("must begin with https:// and carry no password")
    return str(url)


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Picture = Annotated[Text, StringConstraints(max_length=LONGEST_URL), AfterValidator(_https)]
Colour = Annotated[
    str, BeforeValidator(_upper), StringConstraints(pattern=r"^#[0-9A-F]{6}$"), Field(examples=["#1A73E8"])
]
Css = Annotated[Text, Field(description="Rules for classes .brand-..., 32 KiB at most; see docs/domains.md.")]
Footer = Annotated[Text, StringConstraints(max_length=2_000)]


class BrandingFields(Body):
    """What is left out stays; null clears."""

    logo_url: Picture | None = None
    favicon: Picture | None = None
    brand_color: Colour | None = None
    accent: Colour | None = None
    custom_css: Css | None = None
    email_footer: Footer | None = None


class BrandingAnswer(Answer):
    logo_url: str | None = None
    favicon: str | None = None
    brand_color: str | None = None
    accent: str | None = None
    custom_css: str | None = None
    email_footer: str | None = None
    custom_domain: str | None = Field(None, description="The verified domain; set by POST /projects/me/domain.")


Days = Annotated[int, Field(ge=7, le=3650)]
AuditDays = Annotated[int, Field(ge=365, le=3650)]


class RetentionDays(Body):
    """For how many days a kind is kept; what is not named follows the installation."""

    events: Days | None = None
    notifications: Days | None = None
    deliveries: Days | None = Field(None, description="With their attempts.")
    audit: AuditDays | None = None


class GdprContact(Body):
    email: Email
    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)] | None = None


class ComplianceFields(Body):
    """What is left out stays; null clears."""

    retention_days: RetentionDays | None = None
    gdpr_contact: GdprContact | None = None


class KeptDays(Answer):
    events: int | None = None
    notifications: int | None = None
    deliveries: int | None = None
    audit: int | None = None


class Contact(Answer):
    email: str
    name: str | None = None


class ComplianceAnswer(Answer):
    retention_days: KeptDays = KeptDays()
    gdpr_contact: Contact | None = None


@router.get("/projects/me/branding", operation_id="read_branding")
@needs("project:read")
async def read_branding(call: Called) -> BrandingAnswer:
    return await _branding(call, await _project(call))


@router.put("/projects/me/branding", operation_id="change_branding")
@needs("project:manage")
async def change_branding(call: Called, body: BrandingFields) -> BrandingAnswer:
    project = await _project(call)
    before = await _branding(call, project)
    fields = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if body.custom_css is not None:
        fields["customCss"] = _checked_css(body.custom_css)
    project.branding = _merged(project.branding, fields)
    after = await _branding(call, project)
    await _audit(call, project, "branding.updated", before, after)
    return after


@router.get("/projects/me/compliance", operation_id="read_compliance")
@needs("project:read")
async def read_compliance(call: Called) -> ComplianceAnswer:
    return ComplianceAnswer.model_validate((await _project(call)).compliance)


@router.put("/projects/me/compliance", operation_id="change_compliance")
@needs("project:manage")
async def change_compliance(call: Called, body: ComplianceFields) -> ComplianceAnswer:
    project = await _project(call)
    before = ComplianceAnswer.model_validate(project.compliance)
    fields = body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if body.retention_days is not None:
        fields["retentionDays"] = _merged(project.compliance.get("retentionDays", {}), fields["retentionDays"])
    project.compliance = _merged(project.compliance, fields)
    after = ComplianceAnswer.model_validate(project.compliance)
    await _audit(call, project, "compliance.updated", before, after)
    return after


async def _project(call: Call) -> Project:
    return (await call.session.scalars(select(Project))).one()


async def _branding(call: Call, project: Project) -> BrandingAnswer:
    domain = await call.session.scalar(select(Domain.domain).where(Domain.status == "verified"))
    return BrandingAnswer.model_validate({**project.branding, "customDomain": domain})


def _checked_css(css: str) -> str:
    try:
        return checked(css)
    except Unsafe as refusal:
        raise Invalid(refusal.errors, code="invalid_css") from None


def _merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**old, **new}.items() if value is not None}


async def _audit(call: Call, project: Project, action: str, before: Answer, after: Answer) -> None:
    shown = (each.model_dump(mode="json", by_alias=True) for each in (before, after))
    await call.audit(action, "project", project.id, before=next(shown), after=next(shown))
