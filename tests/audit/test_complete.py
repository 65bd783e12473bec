"""No operation changes anything without an entry in the log that says so (section 5).

An operation that is new in the document fails here until it says what it records, or where else that is told. How
each is called, the matrix of the walls knows.
"""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest

from tests.client import PASSWORD, Client
from tests.connections.build import make_mail, receiver
from tests.contract.endpoints import ALL
from tests.isolation.matrix.actors import actors
from tests.isolation.matrix.cases import CASES, OPERATIONS
from tests.isolation.matrix.seeds import Scene, seeded
from tests.pipeline import Working
from tests.signin.hostile import lying

CANARY = "canary-Qm41-never-to-be-seen"

BEFORE, AFTER, BOTH, NOTHING = {"before"}, {"after"}, {"before", "after"}, set[str]()

RECORDED: dict[str, list[tuple[str, set[str]]]] = {
    "sign_up": [("project.created", AFTER)],
    "verify_email": [("email.verified", {"email"})],
    "change_email": [("email.change_requested", BOTH)],
    "reset_password": [("password.reset", {"sessionsEnded"})],
    "change_password": [("password.changed", {"sessionsEnded"})],
    "register_user": [("user.registered", AFTER)],
    "create_invite": [("user.invited", AFTER)],
    "invite_user": [("user.invited", AFTER)],
    "withdraw_invite": [("invite.withdrawn", BEFORE)],
    "accept_invite": [("invite.accepted", {"roles", "user"})],
    "end_own_session": [("session.ended", {"userId"})],
    "end_user_session": [("session.ended", {"userId"})],
    "end_other_sessions": [("session.others_ended", {"ended"})],
    "end_user_sessions": [("session.all_ended", {"ended"})],
    "enrol_second_factor": [("second_factor.enrolled", NOTHING)],
    "confirm_second_factor": [("second_factor.confirmed", NOTHING)],
    "renew_recovery_codes": [("second_factor.codes_renewed", NOTHING)],
    "disable_second_factor": [("second_factor.disabled", NOTHING)],
    "save_sso": [("sso.configured", BOTH)],
    "delete_sso": [("sso.removed", BEFORE)],
    "unlink_sso": [("user.sso_unlinked", BEFORE)],
    "exchange_sso": [("user.signed_in", {"by", "issuer"})],
    "change_project": [("project.updated", BOTH)],
    "change_branding": [("branding.updated", BOTH)],
    "change_compliance": [("compliance.updated", BOTH)],
    "verify_domain": [("domain.verified", BOTH)],
    "remove_domain": [("domain.removed", BEFORE)],
    "use_setup_link": [("user.set_up", NOTHING)],
    "invite_admin": [("admin.invited", AFTER)],
    "change_admin": [("admin.updated", BOTH)],
    "renew_admin_link": [("admin.link_renewed", NOTHING)],
    "change_platform_settings": [("settings.updated", BOTH)],
    # In the project's log, and in the platform's.
    "make_project": [("project.created", AFTER), ("project.created", AFTER)],
    "change_any_project": [("project.updated", BOTH), ("project.updated", BOTH | {"slug"})],
    "suspend_project": [("project.suspended", BOTH | {"reason"}), ("project.suspended", BOTH | {"reason", "slug"})],
    "activate_project": [("project.activated", BOTH), ("project.activated", BOTH | {"slug"})],
    "cancel_any_project": [("project.cancelled", BOTH), ("project.cancelled", BOTH | {"slug"})],
    "cancel_project": [("project.cancelled", AFTER), ("project.cancelled", {"name", "slug", "status"})],
    "restore_project": [("project.restored", AFTER), ("project.restored", {"name", "slug", "status"})],
    "transfer_project": [("project.transferred", BOTH)],
    "log_in_as": [
        ("platform.left", NOTHING),
        ("platform.entered", {"admin", "reason", "until", "write"}),
        ("platform.entered", AFTER),
    ],
    "end_visit": [("platform.left", NOTHING), ("platform.left", AFTER)],
    "change_plans": [("plans.changed", BOTH)],
    "create_key": [("key.created", AFTER)],
    "update_key": [("key.updated", BOTH)],
    "rotate_key": [("key.rotated", BOTH)],
    "revoke_key": [("key.revoked", BEFORE)],
    "rotate_identity_secret": [("identity_secret.rotated", AFTER)],
    "rotate_realtime_secret": [("realtime_app.rotated", AFTER)],
    "update_settings": [("settings.updated", BOTH)],
    "create_sound": [("sound.created", AFTER)],
    "delete_sound": [("sound.deleted", BEFORE)],
    "set_sound_defaults": [("sound_defaults.set", BOTH)],
    "create_role": [("role.created", AFTER)],
    "change_role": [("role.updated", BOTH)],
    "delete_role": [("role.deleted", BEFORE)],
    "create_user": [("user.created", AFTER)],
    "sync_users": [("users.synced", {"created", "updated", "users"})],
    "change_user": [("user.updated", BOTH)],
    "approve_user": [("user.approved", BOTH)],
    "delete_user": [("user.deleted", BEFORE)],
    "change_preferences": [("preferences.updated", BOTH)],
    "add_address": [("address.created", AFTER)],
    "delete_address": [("address.deleted", BEFORE)],
    "create_connection": [("connection.created", AFTER)],
    "change_connection": [("connection.updated", BOTH)],
    "verify_connection": [("connection.verified", BOTH)],
    "rotate_connection": [("connection.rotated", BOTH)],
    "create_meta_app": [("meta_app.created", AFTER)],
    "change_meta_app": [("meta_app.updated", BOTH)],
    "regenerate_meta_app": [("meta_app.regenerated", BOTH)],
    "delete_meta_app": [("meta_app.deleted", BEFORE)],
    "delete_connection": [("connection.deleted", BEFORE)],
    "regenerate_webhook": [("connection.webhook_regenerated", NOTHING)],
    "link_telegram": [("address.link_made", {"connection"})],
    "send_phone_code": [("address.code_sent", {"channel", "value"})],
    "lift_opt_out": [("address.opt_out_lifted", {"before", "reason"})],
    "verify_phone": [("address.verified", AFTER)],
    "create_webhook_endpoint": [("webhook_endpoint.created", AFTER)],
    "change_webhook_endpoint": [("webhook_endpoint.updated", BOTH)],
    "test_webhook_endpoint": [("webhook_endpoint.tested", {"state"})],
    "rotate_webhook_secret": [("webhook_endpoint.rotated", AFTER)],
    "recover_webhook_endpoint": [("webhook_endpoint.recovered", {"since"})],
    "replay_webhook": [("webhook.replayed", BOTH)],
    "delete_webhook_endpoint": [("webhook_endpoint.deleted", BEFORE)],
    "set_project_webhook": [("webhook_endpoint.created", AFTER)],
    "limit_connection": [("connection.limited", BOTH)],
    "suspend_connection": [("connection.suspended", BOTH | {"reason"})],
    "activate_connection": [("connection.activated", BOTH)],
    "access_connection": [("connection.accessed", AFTER)],
    "create_platform_connection": [("connection.created", AFTER)],
    "change_platform_connection": [("connection.updated", BOTH)],
    "verify_platform_connection": [("connection.tried", BOTH)],
    "rotate_platform_connection": [("connection.rotated", BOTH)],
    "make_platform_default": [("connection.updated", BOTH)],
    "delete_platform_connection": [("connection.deleted", BEFORE)],
    "suspend_any_connection": [
        ("connection.suspended", BOTH | {"reason"}),
        ("connection.suspended", AFTER | {"reason"}),
    ],
    "activate_any_connection": [("connection.activated", BOTH), ("connection.activated", AFTER)],
    "limit_any_connection": [("connection.limited", BOTH), ("connection.limited", AFTER)],
    "access_any_connection": [("connection.accessed", AFTER), ("connection.accessed", AFTER)],
    "create_destination": [("destination.created", AFTER)],
    "change_destination": [("destination.updated", BOTH)],
    "delete_destination": [("destination.deleted", BEFORE)],
    "create_rule": [("rule.created", AFTER)],
    "install_starter_rules": [("rule.created", AFTER)],
    "change_rule": [("rule.updated", BOTH)],
    "delete_rule": [("rule.deleted", BEFORE)],
    "create_event_type": [("event_type.created", AFTER)],
    "change_event_type": [("event_type.updated", BOTH)],
    "delete_event_type": [("event_type.deleted", BEFORE)],
    "save_template": [("template.updated", BOTH)],
    "reset_template": [("template.reset", BEFORE)],
    "acknowledge_notification": [("notification.acknowledged", {"userId", "via"})],
    "retry_delivery": [("delivery.retried", BOTH)],
}
"""What each operation records, in order: the action, and what its details hold."""

WHEN_IT_CHANGES = {
    "claim_domain": "domain.claimed",
    "forgot_password": "password.reset_requested",
    "link_sso": "user.sso_linked",
    "reset_second_factor": "second_factor.reset",
}
"""Operations whose case repeats what was done to prepare it, or is about somebody of whom there is nothing to change.

All but the last are done in earnest while other cases are prepared.
"""

TELLS_ITSELF = {
    "send_event": "an event is kept as it was sent, with all that became of it",
    "send_events": "an event is kept as it was sent, with all that became of it",
    "sign_in": "a session says who, when and from where",
    "refresh_tokens": "a session says when it was used last",
    "sign_in_platform": "a session says who, when and from where",
    "sign_out": "a session says when and why it ended",
    "claim_registration": "it begins a session, which says so",
    "resend_registration": "a mail is kept for 30 days with what became of it",
    "resend_verification": "a mail is kept for 30 days with what became of it",
    "see_notification": "a recipient says when they have seen it",
    "authorize_socket": "it changes nothing",
    "test_sso": "it changes nothing",
    "test_rule": "it changes nothing",
    "preview_template": "it changes nothing",
    "preview_draft_template": "it changes nothing",
    "test_rule_draft": "it changes nothing",
    "replay_rule": "it changes nothing",
}
"""Operations without an entry, and where else it is told."""

CHANGING = [case for case in CASES if OPERATIONS[case.operation].method != "GET"]


@dataclass
class Played:
    """A project with one of everything, and who calls for it."""

    scene: Scene
    callers: Mapping[str, Client]

    async def actions(self) -> set[str]:
        """All that were recorded, in any project."""
        rows = await self.scene.working.sql.fetch("SELECT DISTINCT action FROM tocsin.audit_log")
        return {row["action"] for row in rows}


@pytest.fixture(scope="module")
async def played(working: Working) -> AsyncIterator[Played]:
    async with receiver() as hook, lying() as provider:
        scene = await seeded(working, "Complete", hook.url)
        scene.issuer = provider.issuer
        yield Played(scene, (await actors(scene)).own)


def test_every_operation_that_changes_something_says_what_it_records() -> None:
    changing = {str(operation) for operation in ALL if operation.method != "GET"}
    told = [*RECORDED, *WHEN_IT_CHANGES, *TELLS_ITSELF]
    assert changing == set(told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("number", range(len(CHANGING)), ids=[str(case) for case in CHANGING])
async def test_a_change_is_recorded(played: Played, number: int) -> None:
    case = CHANGING[number]
    reply = await (await case.ask(played.scene)).by(played.callers[case.by])
    assert reply.status < 300, reply.json
    rows = await played.scene.working.sql.fetch(
        "SELECT * FROM tocsin.audit_log WHERE request_id = $1 ORDER BY id", reply.headers["X-Request-Id"]
    )
    found = [(row["action"], set(json.loads(row["metadata"] or "{}"))) for row in rows]
    assert found == RECORDED.get(case.operation, [])
    for row in rows:
        assert row["actor_id"] and row["ip_address"] == "127.0.0.1"


async def test_what_was_done_in_earnest_is_recorded(played: Played) -> None:
    assert set(WHEN_IT_CHANGES.values()) - {"second_factor.reset"} <= await played.actions()


async def test_no_secret_reached_the_log(played: Played) -> None:
    """After all of the above, and a password that went in, was changed, and taken out."""
    project, sql = played.scene.project, played.scene.working.sql
    made = await make_mail(project.key, login={"username": "acme", "password": CANARY})
    where = f"/connections/{made['id']}"
    assert (await project.key.put(where, {"credentials": {"password": f"2{CANARY}"}})).status == 200
    assert (await project.key.delete(where)).status == 204
    rows = await sql.fetch("SELECT a::text AS row FROM tocsin.audit_log a")
    written = "\n".join(row["row"] for row in rows)
    assert "connection.deleted" in written
    secrets = [pair["secret"] for pair in project.signed_up["apiKeys"].values()]
    secrets += [*project.signed_up["identitySecrets"].values(), project.signed_up["tokens"]["accessToken"]]
    for secret in (CANARY, PASSWORD, "whsec_", "rt_", "$argon2", "$2b$", *secrets):
        assert secret not in written
