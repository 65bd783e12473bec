"""Nobody gives or takes more than they may themselves."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tocsin.kit.errors import Forbidden
from tocsin.users.models import Role
from tocsin.users.schemas import UserFields

_STANDING = ("email", "status", "external_user_id")


def check_may_give(permissions: Collection[str], roles: Iterable[Role]) -> None:
    """Refuse to give, or take, a role that may more than the caller with these permissions."""
    for role in roles:
        if not set(role.permissions) - {"own:manage"} <= set(permissions):
            raise Forbidden("role_not_allowed", f"You may not give the role {role.name!r}: it may more than you.")


def changes_standing(values: Mapping[str, Any], roles: Iterable[str], fields: UserFields) -> bool:
    """Whether the fields would take over, lock out or demote a person who has these values and roles.

    That is for those alone who may give all the person's roles.
    """
    sent = fields.model_fields_set
    if any(name in sent and getattr(fields, name) != values[name] for name in _STANDING):
        return True
    return "roles" in sent and set(fields.roles or []) != set(roles)
