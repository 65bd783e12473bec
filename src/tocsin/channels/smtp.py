"""E-mail through any SMTP server, over a socket of the one door out."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib
from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator

from tocsin.channels.contract import (
    Account,
    BadCredentials,
    Channel,
    Described,
    Message,
    Receipt,
    Rejected,
    SendFailure,
    Step,
    Unavailable,
)
from tocsin.channels.mail import MAX_ADDRESS, mailbox_problem, message_id, one_line, written
from tocsin.kit.addresses import lies_in
from tocsin.kit.errors import FieldError
from tocsin.kit.http import SMTP_PORTS, Blocked, Door, Unreachable

SEND_SECONDS = 30.0
_GOODBYE_SECONDS = 2.0

# RFC 4954 section 6, and 530 as the answer to any command before a login that the server wants.
_LOGIN_CODES = frozenset({530, 534, 535, 538})


def _mailbox(address: str) -> str:
    if problem := mailbox_problem(address):
        raise ValueError(problem)
    return address


def _header_safe(text: str) -> str:
    if one_line(text) != text:
        raise ValueError("must be one line without control characters")
    return text


Mailbox = Annotated[str, Field(max_length=MAX_ADDRESS, json_schema_extra={"format": "email"}), AfterValidator(_mailbox)]


class SmtpSettings(Described):
    """Which server, how the connection is protected, and who the mail is from."""

    host: str = Field(title="Server", description="For example smtp.example.com.", max_length=253)
    port: int = Field(587, title="Port", description="587, 465, 25 or 2525.", ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        title="Encryption",
        description="starttls for port 587 and 25, tls for port 465; none only inside your own network.",
    )
    from_address: Mailbox = Field(title="From", description="The sender's address.")
    from_name: Annotated[str, AfterValidator(_header_safe)] | None = Field(
        None, title="Sender's name", description="Empty: the name of the project.", max_length=100
    )
    reply_to: Mailbox | None = Field(None, title="Answers to", description="Empty: the sender's address.")


class SmtpCredentials(Described):
    """The login at the server; both empty for a server that wants none."""

    username: str | None = Field(None, title="User name", min_length=1, max_length=255)
    password: SecretStr | None = Field(None, title="Password", max_length=1_024)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("user name and password are given together or not at all")
        return self


class Smtp(Channel[SmtpSettings, SmtpCredentials]):
    """One mail per person and notification."""

    provider = "smtp"
    channel = "email"
    title = "E-mail (SMTP)"
    reaches = "person"
    address_kind = "email"
    has_destinations = True
    settings = SmtpSettings
    credentials = SmtpCredentials
    trusts = ("host", "port", "security")
    setup_steps = (
        Step("server", "Ask your mail provider for the server's name, port and encryption."),
        Step("login", "Create a login for sending, an app password where the provider offers one."),
        Step("domain", "Let SPF and DKIM of the sender's domain include this server."),
        Step("verify", "Enter everything here and verify."),
    )

    async def send(
        self,
        message: Message,
        address: str | None,
        settings: SmtpSettings,
        credentials: SmtpCredentials,
        door: Door,
    ) -> Receipt:
        """Sent means that the server took the mail; whether it arrives, it does not say."""
        if address is None or mailbox_problem(address):
            raise Rejected("The e-mail address is not valid.")
        mail = written(
            message,
            address,
            from_address=settings.from_address,
            from_name=settings.from_name,
            reply_to=settings.reply_to,
        )
        async with _session(settings, credentials, door) as server:
            _, answer = await server.sendmail(settings.from_address, [address], mail.as_bytes())
        return Receipt(
            delivered=False,
            provider_message_id=message_id(message, settings.from_address).strip("<>"),
            status=250,
            answer=answer,
        )

    async def verify(self, settings: SmtpSettings, credentials: SmtpCredentials, door: Door) -> Account:
        """Log in, and send nothing."""
        async with _session(settings, credentials, door) as server:
            await server.noop()
        # A login is the same account on each of a server's ports.
        host, login = settings.host.lower().rstrip("."), credentials.username
        return Account(id=f"{login}@{host}" if login else f"{host}:{settings.port}", name=settings.from_address)

    async def check(self, settings: SmtpSettings, credentials: SmtpCredentials, door: Door) -> list[FieldError]:
        try:
            addresses = await door.judged(settings.host, settings.port, ports=SMTP_PORTS)
        except Blocked as refusal:
            field = "port" if refusal.code == "port_not_allowed" else "host"
            return [FieldError(f"/settings/{field}", refusal.code, refusal.detail)]
        except Unreachable:
            addresses = []
        inside = bool(addresses) and all(lies_in(address, door.allowed) for address in addresses)
        if credentials.username and settings.security == "none" and not inside:
            detail = "A password is not sent over a connection that anybody can read."
            return [FieldError("/settings/security", "encryption_required", detail)]
        return []

    def address_problem(self, address: str) -> str | None:
        return mailbox_problem(address)


@asynccontextmanager
async def _session(settings: SmtpSettings, credentials: SmtpCredentials, door: Door) -> AsyncIterator[aiosmtplib.SMTP]:
    """A connection that is logged in, for half a minute altogether. Every failure leaves as one of ours."""
    server: aiosmtplib.SMTP | None = None
    try:
        async with asyncio.timeout(SEND_SECONDS):
            sock = await door.connect(settings.host, settings.port, ports=SMTP_PORTS)
            server = _server(settings, sock, door)
            await server.connect()
            if credentials.username and credentials.password:
                await _log_in(server, credentials.username, credentials.password)
            yield server
        await _say_goodbye(server)
    except Blocked as refusal:
        raise Rejected(refusal.detail) from refusal
    except Unreachable as failure:
        raise Unavailable(failure.reason) from failure
    except (aiosmtplib.SMTPException, OSError) as error:
        raise _failure(error) from error
    finally:
        if server is not None:
            server.close()


def _server(settings: SmtpSettings, sock: socket.socket, door: Door) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=settings.host,
        sock=sock,
        # The default would be the name of this machine, found by asking name servers.
        local_hostname=settings.from_address.rpartition("@")[2],
        use_tls=settings.security == "tls",
        start_tls=settings.security == "starttls",
        tls_context=door.tls,
        timeout=SEND_SECONDS,
    )


async def _log_in(server: aiosmtplib.SMTP, username: str, password: SecretStr) -> None:
    await server.ehlo()
    if not server.supported_auth_methods:
        raise BadCredentials("The server offers no login that we know.")
    await server.login(username, password.get_secret_value())


async def _say_goodbye(server: aiosmtplib.SMTP) -> None:
    """QUIT, whose answer changes nothing any more: what was accepted stays accepted."""
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_GOODBYE_SECONDS):
            await server.quit()


def _failure(error: aiosmtplib.SMTPException | OSError) -> SendFailure:
    """What a refusal means: at the login the connection's fault, of this mail permanent, else temporary."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Unavailable(_connection_reason(error))
    code, answer = error.code, f"{error.code} {error.message}"
    if code in _LOGIN_CODES or (isinstance(error, aiosmtplib.SMTPAuthenticationError) and code >= 500):
        return BadCredentials("The server refused the login.", status=code, answer=answer)
    if isinstance(error, _OF_THIS_MAIL) and code >= 500:
        return Rejected("The server refused the mail.", status=code, answer=answer)
    return Unavailable("The server asks to try again later.", status=code, answer=answer)


_OF_THIS_MAIL = (
    aiosmtplib.SMTPSenderRefused,
    aiosmtplib.SMTPRecipientRefused,
    aiosmtplib.SMTPDataError,
)


def _connection_reason(error: aiosmtplib.SMTPException | OSError) -> str:
    cause = error.__cause__ if isinstance(error, aiosmtplib.SMTPException) and error.__cause__ else error
    if words := getattr(cause, "verify_message", ""):
        return f"The certificate is refused: {words}."
    if isinstance(error, TimeoutError):
        return f"The server did not finish within {SEND_SECONDS:g} s."
    if isinstance(error, aiosmtplib.SMTPException) and "STARTTLS" in error.message:
        return "The server does not offer STARTTLS."
    return "The connection to the server broke."


def from_url(url: str) -> tuple[SmtpSettings, SmtpCredentials]:
    """The platform's own mail server from one line.

    ``smtp://user:password@host:587?from=alerts@example.com&name=Alerts&replyTo=...&security=starttls|tls|none``;
    ``smtps://`` means tls and port 465. User name and password are percent-encoded. Raises ValueError, whose
    words never repeat the password.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    try:
        port = parts.port
    except ValueError:
        port = -1
    if (
        parts.scheme not in ("smtp", "smtps")
        or not parts.hostname
        or port == -1
        or parts.path not in ("", "/")
        or parts.fragment
        or query.keys() - {"from", "name", "replyTo", "security"}
    ):
        # Which part is wrong stays unsaid: an unencoded ? or # in the password would make it part of the words.
        raise ValueError(
            "not of the form smtp://user:password@host:587?from=alerts@example.com with the parameters from, name,"
            " replyTo and security; user name and password must be percent-encoded"
        )
    implicit = parts.scheme == "smtps"
    try:
        settings = SmtpSettings.model_validate(
            {
                "host": parts.hostname,
                "port": port or (465 if implicit else 587),
                "security": query.get("security") or ("tls" if implicit else "starttls"),
                "fromAddress": query.get("from"),
                "fromName": query.get("name"),
                "replyTo": query.get("replyTo"),
            }
        )
        credentials = SmtpCredentials(
            username=unquote(parts.username) if parts.username else None,
            password=SecretStr(unquote(parts.password)) if parts.password else None,
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{'.'.join(map(str, first['loc'])) or 'login'}: {first['msg']}") from None
    return settings, credentials
