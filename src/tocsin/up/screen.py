"""What `tocsin up` shows: one screen where a person watches, plain lines elsewhere."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tocsin import __version__
from tocsin.up.child import State
from tocsin.up.figures import Figure
from tocsin.up.logfile import Notice

_COLOUR: Mapping[State, str] = {"starting": "yellow", "running": "green", "restarting": "red", "ended": "dim"}
_NOTICES = 5


@dataclass(slots=True)
class Picture:
    """All that may be shown at one moment."""

    url: str
    home: str
    database: str
    since: datetime
    states: dict[str, State] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=_NOTICES))
    first_admin: str | None = None
    """Where the first platform admin chooses a password, while there is none."""


class Screen(Protocol):
    """Where the picture goes."""

    wants_figures: bool

    def say(self, words: str) -> None:
        """A step of starting or stopping."""

    def ready(self, picture: Picture) -> None:
        """Everything serves."""

    def notice(self, notice: Notice) -> None:
        """A warning or error of a process, or its death."""

    def refresh(self, picture: Picture) -> None:
        """Something may have changed; called about once a second."""

    def close(self) -> None:
        """The last word has been said, or a step of stopping is about to be."""


class PlainLines:
    """For files, pipes and supervisors: one line for each thing that happens."""

    wants_figures = False

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, words: str) -> None:
        self._line(words)

    def ready(self, picture: Picture) -> None:
        self._line(f"ready at {picture.url}")
        self._line(f"interactive docs at {picture.url}/docs, data and logs in {picture.home}")
        if picture.first_admin:
            self._line(f"first admin, once and within 24 hours: {picture.first_admin}")

    def notice(self, notice: Notice) -> None:
        self._line(f"{notice.source} {notice.level}: {notice.words}")

    def refresh(self, picture: Picture) -> None:
        pass

    def close(self) -> None:
        pass

    def _line(self, words: str) -> None:
        self._console.print(Text(words), soft_wrap=True)


class LiveScreen:
    """For a terminal: drawn again only when something on it changed."""

    wants_figures = True

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._drawn: object = None

    def say(self, words: str) -> None:
        self._console.print(Text(words, style="dim"))

    def ready(self, picture: Picture) -> None:
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()
        self.refresh(picture)

    def notice(self, notice: Notice) -> None:
        if self._live is None:
            self._console.print(_notice(notice))

    def refresh(self, picture: Picture) -> None:
        shown = (dict(picture.states), list(picture.figures), list(picture.notices), picture.first_admin)
        if self._live is not None and shown != self._drawn:
            self._drawn = shown
            self._live.update(drawn(picture), refresh=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def drawn(picture: Picture) -> RenderableType:
    """The whole screen. What changes stands above: a terminal that is too low cuts off the first steps."""
    parts: list[RenderableType] = [_heading(picture), Text()]
    if picture.figures:
        parts.append(_counters(picture.figures))
    parts += [_notice(notice) for notice in picture.notices]
    if picture.first_admin:
        parts += [Text("First admin (works once, within 24 hours):"), Text(picture.first_admin, style="bold cyan")]
    return Group(*parts, Text(), _first_steps(picture.url))


def _heading(picture: Picture) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(f"Tocsin {__version__}", style="bold"), Text(picture.url, style="bold green"))
    table.add_row("docs", f"{picture.url}/docs")
    table.add_row("data, logs", picture.home)
    table.add_row("database", picture.database)
    table.add_row("processes", _processes(picture.states))
    table.add_row("since", f"{picture.since:%Y-%m-%d %H:%M:%S}, until q or Ctrl-C")
    return table


def _processes(states: Mapping[str, State]) -> Text:
    return Text("   ").join(Text.assemble((f"● {name} ", _COLOUR[state]), state) for name, state in states.items())


def _first_steps(url: str) -> RenderableType:
    """Lines of 80 columns at most, to be copied into another terminal."""
    told = Text("First steps in another terminal: tocsin demo (in a checkout: make demo), or by hand", style="bold")
    return Group(told, *(Text(line, style="cyan") for line in _STEPS.replace("URL", url).splitlines()))


# curl leaves a header out whose value is empty, so the first call goes without keys.
_STEPS = r"""post() { curl -sH 'Content-Type: application/json' -H "X-API-Key:$KEY" \
  -H "X-API-Secret:$SECRET" URL/api/v1/$1 -d "$2"; echo; }
post signup '{"email":"me@example.com","password":"choose a long one",
  "projectName":"Shop"}'
KEY=pk_live_... SECRET=sk_live_...   # from apiKeys.live above, shown this once
post rules '{"name":"Large orders","eventTypes":["order.created"],
  "condition":"payload.amount > 1000","targetRoles":["owner"],
  "channels":["realtime"],"title":"Order {{ payload.orderId }}","message":"Look"}'
post events '{"type":"order.created","payload":{"orderId":"A-1","amount":1500}}'"""


def _counters(figures: Sequence[Figure]) -> RenderableType:
    return Text("   ").join(Text.assemble(f"{figure.label} ", (figure.value, "bold")) for figure in figures)


def _notice(notice: Notice) -> Text:
    style = "yellow" if notice.level == "warning" else "red"
    return Text(f"{notice.source}: {notice.words}", style=style, no_wrap=True, overflow="ellipsis")
