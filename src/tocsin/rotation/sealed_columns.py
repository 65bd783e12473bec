"""Every column that holds a sealed value, and what its values are sealed for. A test finds one that is missing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tocsin.auth.once import row_name


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """``key`` are the columns that, with the project, name a row; ``row`` is the name it is sealed under."""

    table: str
    column: str
    key: tuple[str, ...]
    row: Callable[[Mapping[str, Any]], str]


def _by(column: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: str(row[column])


def _kept_answer(row: Mapping[str, Any]) -> str:
    names = {"project": "project_id", "env": "env", "actor": "actor", "route": "route", "key": "key"}
    return row_name({name: row[column] for name, column in names.items()})


SEALED = (
    SealedColumn("connections", "credentials", ("id",), _by("id")),
    SealedColumn("identity_secrets", "secret", ("env",), _by("env")),
    SealedColumn("identity_secrets", "previous_secret", ("env",), _by("env")),
    SealedColumn("realtime_apps", "secret", ("env",), _by("env")),
    SealedColumn("realtime_apps", "previous_secret", ("env",), _by("env")),
    SealedColumn("second_factors", "secret", ("user_id",), _by("user_id")),
    SealedColumn("identity_providers", "client_secret", ("project_id",), _by("project_id")),
    SealedColumn("hooks", "secret", ("connection_id",), _by("connection_id")),
    SealedColumn("meta_apps", "app_secret", ("id",), _by("id")),
    SealedColumn("meta_apps", "verify_token", ("id",), _by("id")),
    SealedColumn("webhook_endpoints", "secret", ("id",), _by("id")),
    SealedColumn("webhook_endpoints", "previous_secret", ("id",), _by("id")),
    SealedColumn("imports", "changes", ("id",), _by("id")),
    SealedColumn("mails", "details", ("id",), _by("id")),
    SealedColumn("idempotency_records", "response", ("env", "actor", "route", "key"), _kept_answer),
)
