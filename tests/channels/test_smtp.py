"""The mail channel against a real SMTP server in each of its moods (D2; bad inputs 70 and 74)."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from pydantic import ValidationError

from tocsin.channels.contract import BadCredentials, Message, Rejected, SendFailure, Unavailable
from tocsin.channels.smtp import Smtp, SmtpCredentials, SmtpSettings, from_url
from tocsin.kit.http import Door

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")

Build = Callable[..., Message]

NOBODY = SmtpCredentials()
ACME = SmtpCredentials.model_validate({"username": "acme", "password": "s3cret ü"})


@dataclass
class Mood:
    """Handler of the server: keeps what it takes and answers as it is told, one answer after the other."""

    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    mail: list[str] = field(default_factory=list)
    hang_after_data: float = 0.0
    taken: list[tuple[str, list[str], EmailMessage]] = field(default_factory=list)
    greeted_by: list[str] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_EHLO(
        self, server: Server, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.greeted_by.append(hostname)
        session.host_name = hostname
        return responses

    async def handle_MAIL(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.mail.pop(0) if self.mail else "250 OK"

    async def handle_RCPT(
        self, server: Server, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.rcpt.pop(0) if self.rcpt else "250 OK"
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Server, session: Session, envelope: Envelope) -> str:
        await asyncio.sleep(self.hang_after_data)
        answer = self.data.pop(0) if self.data else "250 OK queued as 4711"
        if answer.startswith("2"):
            mail = message_from_bytes(envelope.content, policy=default)
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, mail))
        return answer

    def authenticate(
        self, server: Server, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        self.logins.append((given.login, given.password))
        right = given == LoginPassword(b"acme", "s3cret ü".encode())
        return AuthResult(success=right, handled=False)


@asynccontextmanager
async def server(mood: Mood, *, implicit_tls: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    def make() -> Server:
        return Server(mood, hostname="mx.example.com", authenticator=mood.authenticate, timeout=60, **options)

    listening = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=implicit_tls)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()


def settings(port: int, **changes: Any) -> SmtpSettings:
    return SmtpSettings.model_validate(
        {"host": "127.0.0.1", "port": port, "security": "none", "fromAddress": "alerts@acme.example.com"} | changes
    )


async def failure_of(mood: Mood, message: Message, door: Door, **options: Any) -> SendFailure:
    async with server(mood, **options) as port:
        with pytest.raises(SendFailure) as failed:
            await Smtp().send(message, "ann@example.com", settings(port), NOBODY, door)
    return failed.value


# --- taken


async def test_a_mail_is_taken_for_the_one_it_is_for(message: Build, door: Door) -> None:
    mood = Mood()
    async with server(mood) as port:
        receipt = await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, door)
    assert not receipt.delivered
    assert receipt.status == 250
    assert receipt.provider_message_id == "0199a000-0000-7000-8000-000000000001@acme.example.com"
    assert "4711" in receipt.answer
    [(sender, recipients, mail)] = mood.taken
    assert (sender, recipients) == ("alerts@acme.example.com", ["ann@example.com"])
    assert mail["Subject"] == "Oven 3 is too hot"
    assert mail["Message-ID"] == f"<{receipt.provider_message_id}>"
    assert str(mail["From"]) == "Acme Bakery <alerts@acme.example.com>"


async def test_the_greeting_names_the_senders_domain_and_not_this_machine(message: Build, door: Door) -> None:
    mood = Mood()
    async with server(mood) as port:
        await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, door)
    assert set(mood.greeted_by) == {"acme.example.com"}


async def test_a_line_of_one_dot_and_long_lines_arrive_whole(message: Build, door: Door) -> None:
    mood = Mood()
    words = "before\n.\n..\nQUIT\n" + "ü" * 3_000
    async with server(mood) as port:
        sent = message(message=words)
        await Smtp().send(sent, "ann@example.com", settings(port), NOBODY, door)
    [(_, _, mail)] = mood.taken
    body = mail.get_body(("plain",))
    assert body is not None
    assert words in body.get_content().replace("\r\n", "\n")


# --- login


async def test_a_login_is_sent_and_checked(message: Build, door: Door) -> None:
    mood = Mood()
    async with server(mood, auth_required=True, auth_require_tls=False) as port:
        await Smtp().send(message(), "ann@example.com", settings(port), ACME, door)
        account = await Smtp().verify(settings(port), ACME, door)
    assert len(mood.taken) == 1
    assert account.id == "acme@127.0.0.1"
    assert account.name == "alerts@acme.example.com"


async def test_a_wrong_password_is_the_connections_own_fault(message: Build, door: Door) -> None:
    wrong = SmtpCredentials.model_validate({"username": "acme", "password": "wrong-password"})
    async with server(Mood(), auth_required=True, auth_require_tls=False) as port:
        for call in (
            Smtp().send(message(), "ann@example.com", settings(port), wrong, door),
            Smtp().verify(settings(port), wrong, door),
        ):
            with pytest.raises(BadCredentials) as failed:
                await call
            assert failed.value.status == 535
            assert "wrong-password" not in f"{failed.value.reason}{failed.value.answer}"


async def test_a_login_that_is_missing_is_the_connections_own_fault(message: Build, door: Door) -> None:
    failure = await failure_of(Mood(), message(), door, auth_required=True, auth_require_tls=False)
    assert isinstance(failure, BadCredentials)
    assert failure.status == 530


async def test_a_server_without_login_is_the_connections_own_fault(message: Build, door: Door) -> None:
    async with server(Mood(), auth_require_tls=True) as port:
        with pytest.raises(BadCredentials):
            await Smtp().verify(settings(port), ACME, door)


# --- refusals


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        (Mood(rcpt=["550 5.1.1 No such user"]), 550),
        (Mood(rcpt=["552 5.2.2 Mailbox full"]), 552),
        (Mood(mail=["553 5.7.1 Sender not allowed"]), 553),
        (Mood(data=["554 5.6.0 Spam"]), 554),
        (Mood(data=["552 5.3.4 Too big"]), 552),
    ],
    ids=["user", "quota", "sender", "spam", "size"],
)
async def test_a_refusal_of_the_mail_is_permanent(message: Build, door: Door, mood: Mood, code: int) -> None:
    failure = await failure_of(mood, message(), door)
    assert isinstance(failure, Rejected)
    assert failure.status == code
    assert failure.answer.startswith(str(code))


async def test_a_mail_over_the_servers_limit_is_permanent(message: Build, door: Door) -> None:
    failure = await failure_of(Mood(), message(message="x" * 5_000), door, data_size_limit=2_000)
    assert isinstance(failure, Rejected)
    assert failure.status == 552


@pytest.mark.parametrize(
    ("mood", "code"),
    [
        (Mood(rcpt=["450 4.2.1 Mailbox busy"]), 450),
        (Mood(rcpt=["452 4.5.3 Too many"]), 452),
        (Mood(mail=["421 4.7.0 Closing"]), 421),
        (Mood(data=["451 4.3.0 Disk"]), 451),
    ],
    ids=["busy", "many", "closing", "disk"],
)
async def test_a_temporary_refusal_is_tried_again(message: Build, door: Door, mood: Mood, code: int) -> None:
    failure = await failure_of(mood, message(), door)
    assert isinstance(failure, Unavailable)
    assert failure.status == code


async def test_greylisting_ends_with_the_second_try(message: Build, door: Door) -> None:
    mood = Mood(rcpt=["451 4.7.1 Greylisted"])
    async with server(mood) as port:
        with pytest.raises(Unavailable):
            await Smtp().send(message(attempt=1), "ann@example.com", settings(port), NOBODY, door)
        await Smtp().send(message(attempt=2), "ann@example.com", settings(port), NOBODY, door)
    assert len(mood.taken) == 1


@pytest.mark.parametrize("address", [None, "", "a@[127.0.0.1]", '"a b"@x', "ann@example.com\r\nRCPT TO:<e@x.io>"])
async def test_an_unsafe_address_never_reaches_a_server(message: Build, door: Door, address: str | None) -> None:
    mood = Mood()
    async with server(mood) as port:
        with pytest.raises(Rejected):
            await Smtp().send(message(), address, settings(port), NOBODY, door)
    assert not mood.greeted_by
    assert Smtp().address_problem(address or "")
    assert Smtp().address_problem("ann@example.com") is None


# --- encryption


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def of_the_server(authority: trustme.CA, name: str = "smtp.example.com") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
async def trusting_door(authority: trustme.CA, door: Door) -> AsyncIterator[Door]:
    async def resolve(host: str) -> list[str]:
        return ["127.0.0.1"]

    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with Door(allowed=door.allowed, tls=context, resolve=resolve) as door:
        yield door


async def test_starttls_protects_login_and_mail(message: Build, trusting_door: Door, authority: trustme.CA) -> None:
    mood = Mood()
    tls = of_the_server(authority)
    async with server(mood, tls_context=tls, require_starttls=True, auth_required=True) as port:
        with_tls = settings(port, host="smtp.example.com", security="starttls")
        await Smtp().send(message(), "ann@example.com", with_tls, ACME, trusting_door)
        plain = settings(port, host="smtp.example.com", security="none")
        with pytest.raises(BadCredentials):
            await Smtp().send(message(), "ann@example.com", plain, NOBODY, trusting_door)
    assert len(mood.taken) == 1


async def test_tls_from_the_first_byte(message: Build, trusting_door: Door, authority: trustme.CA) -> None:
    mood = Mood()
    tls = of_the_server(authority)
    async with server(mood, implicit_tls=tls, auth_required=True, auth_require_tls=False) as port:
        with_tls = settings(port, host="smtp.example.com", security="tls")
        await Smtp().send(message(), "ann@example.com", with_tls, ACME, trusting_door)
    assert len(mood.taken) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
@pytest.mark.parametrize("wrong", ["name", "authority"])
async def test_no_password_goes_to_a_server_that_is_not_who_it_says(
    trusting_door: Door, authority: trustme.CA, security: str, wrong: str
) -> None:
    tls = of_the_server(authority, "other.example.com") if wrong == "name" else of_the_server(trustme.CA())
    mood = Mood()
    options = {"tls_context": tls} if security == "starttls" else {"implicit_tls": tls}
    async with server(mood, **options) as port:
        with pytest.raises(Unavailable, match="certificate"):
            await Smtp().verify(settings(port, host="smtp.example.com", security=security), ACME, trusting_door)
    assert not mood.logins


async def test_a_server_that_hides_starttls_gets_no_password(door: Door) -> None:
    mood = Mood()
    async with server(mood, auth_require_tls=False) as port:
        with pytest.raises(Unavailable, match="STARTTLS"):
            await Smtp().verify(settings(port, security="starttls"), ACME, door)
    assert not mood.logins


# --- a server that misbehaves


@asynccontextmanager
async def raw_server(*answers: bytes, then_close: bool) -> AsyncIterator[int]:
    """Sends the first answer at once and one more for each line it reads; then closes or falls silent."""
    silent = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number, answer in enumerate(answers):
            if number and not await reader.readline():
                break
            writer.write(answer)
        if not then_close:
            await silent.wait()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        silent.set()
        listening.close()


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (b"",),
        (b"421 busy\r\n",),
        (b"554 your address is on a list\r\n",),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
        (b"220 hello\r\n",),
        (b"220 hello\r\n", b"250 OK\r\n", b"250 OK\r\n"),
        (b"220 hello\r\n", b"250-" + b"x" * 100_000),
    ],
)
async def test_a_connection_that_breaks_is_tried_again(message: Build, door: Door, answers: tuple[bytes, ...]) -> None:
    async with raw_server(*answers, then_close=True) as port:
        with pytest.raises(Unavailable):
            await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, door)


@pytest.mark.parametrize("answers", [(), (b"220 hello\r\n",), (b"220 hello\r\n", b"250 mx\r\n")])
async def test_a_server_that_hangs_is_left_in_time(
    message: Build, door: Door, answers: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.channels.smtp.SEND_SECONDS", 0.5)
    async with raw_server(*answers, then_close=False) as port:
        with pytest.raises(Unavailable, match="did not finish"):
            await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, door)


async def test_a_mail_that_was_taken_stays_taken_when_the_goodbye_hangs(
    message: Build, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.channels.smtp._GOODBYE_SECONDS", 0.2)
    head = [b"220 hello\r\n", b"250 mx\r\n", b"250 OK\r\n", b"250 OK\r\n", b"354 go\r\n"]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head[0])
        for answer in head[1:]:
            await reader.readline()
            writer.write(answer)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 OK taken\r\n")
        await reader.readline()
        await silent.wait()
        writer.close()

    silent = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    receipt = await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, door)
    assert "taken" in receipt.answer
    silent.set()
    listening.close()


# --- targets and settings


async def test_a_server_inside_is_never_called(message: Build) -> None:
    mood = Mood()
    async with server(mood) as port, Door() as strict:
        with pytest.raises(Rejected):
            await Smtp().send(message(), "ann@example.com", settings(port), NOBODY, strict)
        for host, port, field in (
            ("127.0.0.1", 587, "host"),
            ("localhost", 587, "host"),
            ("169.254.169.254", 25, "host"),
            ("smtp.example.com\r\n", 25, "host"),
            ("smtp.example.com", 22, "port"),
        ):
            errors = await Smtp().check(settings(port, host=host), NOBODY, strict)
            assert [error.pointer for error in errors] == [f"/settings/{field}"]
    assert not mood.greeted_by


async def test_a_password_is_not_sent_in_the_clear_to_the_outside(door: Door) -> None:
    async def resolve(host: str) -> list[str]:
        return ["192.0.3.1"]

    async with Door(resolve=resolve) as outside:
        public = settings(587, host="smtp.example.com")
        errors = await Smtp().check(public, ACME, outside)
        assert [(error.pointer, error.code) for error in errors] == [("/settings/security", "encryption_required")]
        assert await Smtp().check(public, NOBODY, outside) == []
        assert await Smtp().check(settings(465, host="a.io", security="tls"), ACME, outside) == []
    assert await Smtp().check(settings(587), ACME, door) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"fromAddress": "nobody"},
        {"fromAddress": "a@b.io\r\nBcc: x@y.io"},
        {"fromName": "Acme\r\nBcc: x@y.io"},
        {"replyTo": "a@[127.0.0.1]"},
        {"security": "ssl"},
        {"port": 0},
        {"tls": True},
    ],
)
def test_nonsense_settings_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**{"port": 587} | wrong)


@pytest.mark.parametrize("half", [{"username": "a"}, {"password": "b"}, {"username": "", "password": "b"}])
def test_half_a_login_is_refused(half: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        SmtpCredentials.model_validate(half)


@pytest.mark.parametrize(
    ("url", "host", "port", "security", "login"),
    [
        ("smtp://mx.example.com?from=a@b.io", "mx.example.com", 587, "starttls", None),
        ("smtps://u:p@mx.example.com?from=a@b.io", "mx.example.com", 465, "tls", ("u", "p")),
        ("smtp://u%40x:p%2F%3A@h.io:25?from=a@b.io&security=none", "h.io", 25, "none", ("u@x", "p/:")),
    ],
)
def test_the_platforms_server_is_read_from_one_line(
    url: str, host: str, port: int, security: str, login: tuple[str, str] | None
) -> None:
    read, credentials = from_url(url)
    assert (read.host, read.port, read.security, read.from_address) == (host, port, security, "a@b.io")
    password = credentials.password and credentials.password.get_secret_value()
    assert (credentials.username, password) == (login or (None, None))


@pytest.mark.parametrize(
    "url",
    [
        "http://u:hunter22@mx.example.com?from=a@b.io",
        "smtp://u:hunter22@?from=a@b.io",
        "smtp://u:hunter22@mx.example.com",
        "smtp://u:hunter22@mx.example.com?from=nobody",
        "smtp://u:hunter22@mx.example.com?from=a@b.io&tls=1",
        "smtp://u:hunter22@mx.example.com:99999?from=a@b.io",
        "smtp://u:hunter22@mx.example.com/path?from=a@b.io",
        "smtp://:hunter22@mx.example.com?from=a@b.io",
        "smtp://u:hunter22@mx.example.com?from=a@b.io&security=perhaps",
    ],
)
def test_a_line_that_is_wrong_is_refused_without_repeating_the_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:
        from_url(url)
    assert "hunter22" not in str(refused.value)
