"""A DNS server that somebody else wrote (dnslib), on loopback, with the records a test gives it."""

from collections.abc import Iterator
from contextlib import contextmanager

from dnslib.server import DNSServer
from dnslib.zoneresolver import ZoneResolver


class Quiet:
    """dnslib logs every question to stdout unless told otherwise."""

    def __getattr__(self, _name: str) -> object:
        return lambda *_args: None


class Nameserver:
    """Answers over UDP and TCP; names without a record do not exist."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], list[str]] = {}
        # TCP first: of its ports many are taken, of those of UDP hardly any.
        self._tcp = DNSServer(ZoneResolver(""), port=0, address="127.0.0.1", tcp=True, logger=Quiet())
        self.port = int(self._tcp.server.server_address[1])
        self._udp = DNSServer(ZoneResolver(""), port=self.port, address="127.0.0.1", logger=Quiet())

    @property
    def setting(self) -> str:
        """As ``TOCSIN_DNS_SERVERS`` wants it."""
        return f"127.0.0.1:{self.port}"

    def set(self, name: str, kind: str, value: str) -> None:
        """Make this the only record of its kind at the name."""
        self._records[name, kind] = []
        self.add(name, kind, value)

    def add(self, name: str, kind: str, value: str) -> None:
        self._records.setdefault((name, kind), []).append(f'"{value}"' if kind == "TXT" else f"{value}.")
        self._publish()

    def remove(self, name: str, kind: str) -> None:
        del self._records[name, kind]
        self._publish()

    def _publish(self) -> None:
        lines = [f"{name}. 0 IN {kind} {value}" for (name, kind), values in self._records.items() for value in values]
        for server in (self._udp, self._tcp):
            server.server.resolver = ZoneResolver("\n".join(lines))

    def start(self) -> None:
        self._udp.start_thread()
        self._tcp.start_thread()

    def stop(self) -> None:
        for server in (self._udp, self._tcp):
            server.stop()
            server.server.server_close()


@contextmanager
def running_nameserver() -> Iterator[Nameserver]:
    server = Nameserver()
    server.start()
    try:
        yield server
    finally:
        server.stop()
