"""What the platform's mails say. Each kind in one place: subject, text, and the words on its button.

``{project}`` and ``{name}`` stand in any of them; the other names are the ``details`` of that kind. A mail with a
button has the detail ``url``. HTML is made of the text by ``channels/mail.py``, as for every other mail.
"""

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple, cast

Kind = Literal[
    "verify_email",
    "change_email",
    "email_change_notice",
    "reset_password",
    "password_notice",
    "invitation",
    "admin_invitation",
    "already_registered",
    "quota_warning",
    "quota_exceeded",
    "connection_stopped",
    "connection_led_away",
    "connection_warned",
    "webhook_paused",
    "connection_suspended",
    "connection_accessed",
]


class Words(NamedTuple):
    subject: str
    text: str
    button: str | None = None


WORDS: dict[Kind, Words] = {
    "verify_email": Words(
        "Confirm your e-mail address for {project}",
        "Somebody gave this address as theirs at {project}. If that was you, please confirm it.\n\n"
        "The link works once, for 7 days. If it was not you, there is nothing to do.",
        "Confirm this address",
    ),
    "change_email": Words(
        "Confirm your new e-mail address for {project}",
        "You asked to use this address at {project} from now on. Please confirm it.\n\n"
        "The link works once, for 24 hours. Until then nothing changes.",
        "Use this address",
    ),
    "email_change_notice": Words(
        "Your e-mail address at {project} is about to change",
        "Somebody who is signed in as you asked to change your address at {project} to {address}. "
        "It changes as soon as that address is confirmed.\n\n"
        "If it was not you, change your password now: that stops it and ends all other sessions.",
    ),
    "reset_password": Words(
        "Choose a new password for {project}",
        "Somebody asked for a new password for your account at {project}.\n\n"
        "The link works once, for 30 minutes. If it was not you, ignore this mail; your password stays as it is.",
        "Choose a new password",
    ),
    "password_notice": Words(
        "Your password at {project} was changed",
        "The password of your account at {project} was changed just now.\n\n"
        "If it was not you, ask for a new password at once and tell whoever runs {project}.",
    ),
    "invitation": Words(
        "You are invited to {project}",
        "{inviter} invites you to {project}.\n\nThe link works once, for 7 days.",
        "Accept the invitation",
    ),
    "admin_invitation": Words(
        "{project}: you are invited to run Tocsin",
        "{inviter} invites you to help run this installation of Tocsin.\n\nThe link works once, for 24 hours.",
        "Choose a password",
    ),
    "already_registered": Words(
        "You already have an account at {project}",
        "Somebody tried to register at {project} with this address, which already belongs to an account.\n\n"
        "If that was you, sign in instead. If it was not you, there is nothing to do.",
    ),
    "quota_warning": Words(
        "80 percent of the {quota} of {project} are used",
        "{project} has used {used} of the {limit} {quota} that it has for this month; the next one begins at "
        "{resets}.\n\nOnce all are used, {then}.",
    ),
    "webhook_paused": Words(
        "A webhook endpoint of {project} is paused",
        "{project} sends nothing more to {endpoint}. {reason}\n\n"
        "Once it works again, make it active; what it missed meanwhile can be recovered for 30 days.",
    ),
    "quota_exceeded": Words(
        "All {quota} of {project} are used for this month",
        "{project} has used all of the {limit} {quota} that it has for this month. Until {resets} {then}.",
    ),
    "connection_stopped": Words(
        "{connection} of {project} does not send any more",
        "The connection {connection} ({provider}) of {project} has stopped: {reason}.\n\n"
        "What is to be sent over it waits for a day, or leaves by another connection. Set its credentials again, or "
        "verify it once they work.",
    ),
    "connection_led_away": Words(
        "{connection} of {project} is not heard any more",
        "About the connection {connection} ({provider}) of {project}: {reason}\n\n"
        "It goes on sending. If you did not do this, somebody else has its token: make a new one at the provider.",
    ),
    "connection_warned": Words(
        "{connection} of {project} needs a look",
        "About the connection {connection} ({provider}) of {project}: {reason}\n\n"
        "It works for now. Verify it once this is mended.",
    ),
    "connection_suspended": Words(
        "Your connection {connection} at {project} was suspended",
        "Nothing is sent over your connection {connection} any more, until an admin activates it again.\n\n"
        "The reason: {reason}",
    ),
    "connection_accessed": Words(
        "An admin looks into your connection {connection} at {project}",
        "Until {until} an admin sees whose account your connection {connection} is and how it does, and may send a "
        "test message over it. Its credentials are shown to nobody.\n\nThe reason: {reason}",
    ),
}

REWORDABLE: tuple[str, ...] = tuple(kind for kind in WORDS if kind != "admin_invitation")
"""Those that a project may say in words of its own. An installation's own admins are mailed in the installation's."""


def written(kind: str, project_name: str, details: Mapping[str, str]) -> Words:
    """The mail of this kind in its final words."""
    words = WORDS[cast(Kind, kind)]
    values = {name: no_link(value) for name, value in details.items() if name != "url"}
    values["project"] = no_link(project_name)
    return Words(words.subject.format_map(values), words.text.format_map(values), words.button)


def no_link(name: str) -> str:
    """A name that people chose, as it may stand in a mail to strangers: short, one line, leading nowhere."""
    return " ".join(_LEADS_AWAY.sub(" ", name).split())[:_LONGEST_NAME]


def unlinked(text: str) -> str:
    """Words that a project chose, line by line, leading nowhere: the button of a mail is its only link."""
    return "\n".join(" ".join(_LEADS_AWAY.sub(" ", line).split()) for line in text.splitlines())


# Without this a sign-up with the right project name would let anybody mail advertisements in our name.
_LEADS_AWAY = re.compile(r"[\x00-\x1f\x7f-\x9f<>]|\bwww\.|//|:(?=/)", re.IGNORECASE)
_LONGEST_NAME = 80
