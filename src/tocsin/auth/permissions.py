"""The one vocabulary of permissions, for roles and API keys alike, and the built-in roles (A6).

A permission is ``resource:action``. The table here is the table of the documentation: `GET /permissions`.
"""

from collections.abc import Iterable

PERMISSIONS: dict[str, str] = {
    "project:read": "See the project and its settings.",
    "project:manage": "Change the project and its settings.",
    "project:delete": "Cancel, restore, transfer or export the project.",
    "keys:manage": "Create, list and revoke API keys.",
    "events:write": "Send events.",
    "events:read": "See events and what became of them.",
    "rules:read": "See rules.",
    "rules:manage": "Create, change, test and delete rules.",
    "sounds:read": "See and hear sounds, and which are the defaults.",
    "sounds:manage": "Upload and delete sounds, set the defaults.",
    "users:read": "See users.",
    "users:manage": "Create, change, approve and delete users.",
    "roles:read": "See roles.",
    "roles:manage": "Create, change and delete roles.",
    "notifications:read": "See everybody's notifications and deliveries.",
    "notifications:acknowledge": "Acknowledge notifications for the project.",
    "deliveries:manage": "Retry deliveries by hand.",
    "connections:read": "See connections.",
    "connections:manage": "Create, change and delete the project's connections.",
    "webhooks:read": "See webhook endpoints and what was sent to them.",
    "webhooks:manage": "Create, change, test, recover and delete webhook endpoints.",
    "connections:manage_all": "See, limit, suspend and look into everybody's connections, but not their secrets.",
    "realtime:read": "See who is connected and follow the project's live activity.",
    "audit:read": "See the audit log.",
    "own:manage": "One's own profile, addresses, notifications, connections and live channel.",
}

PLATFORM_PERMISSIONS: dict[str, str] = {
    "platform:read": "See projects, their usage and the figures of the installation.",
    "platform:projects": "Create, change, suspend, cancel and purge projects.",
    "platform:enter": "Log in as a project, on its record.",
    "platform:connections": "See, suspend, activate, limit and look into connections of every project.",
    "platform:plans": "Change plans and features.",
    "platform:billing": "Put a project on a plan; see invoices.",
    "platform:settings": "Change settings of the installation at run time, and the platform's own connections.",
    "platform:admins": "Invite, change and disable platform admins.",
    "platform:audit": "Read the platform's audit log.",
}
"""Held by users of the platform's own project alone; roles and keys of other projects cannot carry them."""

ALL = frozenset(PERMISSIONS)
OWN = frozenset({"own:manage"})
_READ = frozenset(name for name in PERMISSIONS if name.endswith(":read"))

BUILT_IN_ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "owner": ("Everything. A project has one at least.", ALL),
    "admin": ("Everything but deleting or transferring the project.", ALL - {"project:delete"}),
    "agent": (
        "Answers people: notifications, acknowledgement, users.",
        frozenset({"notifications:read", "notifications:acknowledge", "users:read", "events:read"}) | OWN,
    ),
    "viewer": ("Sees everything, changes nothing.", _READ | OWN),
    "user": ("Own things only.", OWN),
}

PLATFORM_ROLES: dict[str, tuple[str, frozenset[str]]] = {
    "super_admin": ("Runs the installation.", frozenset(PLATFORM_PERMISSIONS) | OWN),
    "support": (
        "Helps projects: reads, logs in as, suspends connections.",
        frozenset({"platform:read", "platform:enter", "platform:connections", "platform:audit"}) | OWN,
    ),
    "billing": ("Plans, usage, invoices.", frozenset({"platform:read", "platform:billing"}) | OWN),
}

# What a key made at sign-up may do: what an admin may, for a backend sets a project up.
SERVER_KEY = ALL - {"project:delete", "own:manage"}


def unknown(names: Iterable[str]) -> list[str]:
    """The names that are no permission."""
    return [name for name in names if name not in PERMISSIONS]


def opens_panel(permissions: Iterable[str]) -> bool:
    """Whether somebody with these permissions counts as an admin of the project (token type)."""
    return any(name not in OWN for name in permissions)
