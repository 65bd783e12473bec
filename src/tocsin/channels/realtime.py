"""Our own realtime sockets, as a line in the list of providers.

Nothing is sent from here: the delivery is recorded as sent in the transaction that decides it and pushed to
the sockets after its commit, and what a closed socket missed is read again by sequence number.
"""

from tocsin.channels.contract import Provider, Step


class Realtime(Provider):
    """Open apps and browser tabs of a person."""

    provider = "realtime"
    channel = "realtime"
    title = "Realtime"
    reaches = "person"
    instant = True
    setup_steps = (
        Step("connect", "Connect any Pusher client with the app key of the project."),
        Step("subscribe", "Subscribe to the private channel of the user."),
    )
