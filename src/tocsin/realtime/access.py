"""Who may subscribe to which channel of their project's app.

- ``private-user-{id}``: that user, nobody else.
- ``private-project-{id}``: whoever has ``realtime:read`` in that project.
- ``private-room-...`` and ``presence-room-...``: every user of the project. This is a choice: the names are open
  to the project's own apps, so nothing that not every user may hear belongs there.
- other private and presence channels: whoever has ``realtime:read``.

An app with finer rules signs subscriptions itself, with the secret of its realtime app. Presence needs a person,
so a key joins no presence channel.
"""

from tocsin.auth.principal import Principal
from tocsin.realtime.protocol import USER_PREFIX, is_presence
from tocsin.realtime.room import user_channel

_OF_ONE_PROJECT = "private-project-"
_OF_THE_PLATFORM = "private-platform"
_SAID_BY_TOCSIN = ("notification.", "connection.")
_ROOMS = ("private-room-", "presence-room-")


def may_subscribe(caller: Principal, channel: str) -> bool:
    """Whether this caller may hear a private or presence channel."""
    if channel.startswith(USER_PREFIX):
        return caller.user_id is not None and channel == user_channel(caller.user_id)
    if channel.startswith(_OF_THE_PLATFORM) or (is_presence(channel) and caller.user_id is None):
        return False
    if caller.kind == "user" and channel.startswith(_ROOMS):
        return True
    if channel.startswith(_OF_ONE_PROJECT) and channel != f"{_OF_ONE_PROJECT}{caller.project_id}":
        return False
    return caller.may("realtime:read")


def of_tocsin(event: str, channel: str) -> bool:
    """Whether nobody but Tocsin itself may send this event on this channel."""
    if channel.startswith(_OF_THE_PLATFORM):
        return True
    return channel.startswith((USER_PREFIX, _OF_ONE_PROJECT)) and event.startswith(_SAID_BY_TOCSIN)
