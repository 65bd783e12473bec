"""A notification written as an e-mail: plain text and simple HTML, safe whatever the words are."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from tocsin.channels.contract import Action, Message
from tocsin.channels.layout.around import around

MAX_SUBJECT = 250
MAX_NAME = 64
MAX_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3: a path of 256 octets, with its angle brackets
MAX_LOCAL_PART = 64  # RFC 5321 section 4.5.3.1.1

# Only what every server and every reader takes for the same: no quoted local part, no address literal, no
# comment. A domain beyond ASCII is given in its xn-- form, where a look-alike shows.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)"
_MAILBOX = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")

# Transfer encodings that pass any server: no 8BITMIME or SMTPUTF8 needed.
_POLICY = SMTP.clone(cte_type="7bit")

_URGENCY = {
    "critical": {"X-Priority": "1", "Importance": "high", "Priority": "urgent"},
    "high": {"X-Priority": "2", "Importance": "high"},
    "normal": {},
    "low": {"X-Priority": "5", "Importance": "low"},
}


def mailbox_problem(address: str) -> str | None:
    """Why this is not an address we write to, or None."""
    mailbox = _MAILBOX.fullmatch(address)
    if mailbox is None:
        return "This is not an e-mail address of the usual form, name@example.com."
    if len(address) > MAX_ADDRESS or len(mailbox["local"]) > MAX_LOCAL_PART:
        return f"An e-mail address has at most {MAX_ADDRESS} characters, {MAX_LOCAL_PART} before the @."
    return None


def written(
    message: Message, address: str, *, from_address: str, from_name: str | None, reply_to: str | None
) -> EmailMessage:
    """The mail of one delivery. Its Message-ID follows from the delivery, so a second copy can be told."""
    mail = EmailMessage(policy=_POLICY)
    mail["Message-ID"] = message_id(message, from_address)
    mail["Date"] = format_datetime(message.created_at)
    mail["From"] = Address(_name(from_name or message.project_name), addr_spec=from_address)
    mail["To"] = Address(_name((message.recipient and message.recipient.name) or ""), addr_spec=address)
    if reply_to:
        mail["Reply-To"] = Address(addr_spec=reply_to)
    mail["Subject"] = one_line(message.title)[:MAX_SUBJECT]
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    mail["X-Auto-Response-Suppress"] = "All"
    for name, value in _URGENCY[message.priority].items():
        mail[name] = value
    if message.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
    mail.set_content(_text(message))
    mail.add_alternative(html(message), subtype="html")
    return mail


def message_id(message: Message, from_address: str) -> str:
    """``<delivery@domain of the sender>``."""
    return f"<{message.delivery_id}@{from_address.rpartition('@')[2]}>"


def _name(text: str) -> str:
    """A display name; short, since folding a header takes the standard library quadratic time."""
    return one_line(text)[:MAX_NAME]


def one_line(text: str) -> str:
    """The text fit for a header: every run of blanks and control characters is one blank."""
    return _BLANKS.sub(" ", text).strip()


_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def _text(message: Message) -> str:
    parts = [one_line(message.title), _body(message)]
    parts += [f"{link.label}: {link.url}" for link in _links(message)]
    parts.append(f"-- \n{one_line(message.project_name)}")
    if footer := _footer(message):
        parts.append(footer)
    if message.unsubscribe_url:
        parts.append(f"Unsubscribe: {message.unsubscribe_url}")
    return "\n\n".join(parts) + "\n"


def html(message: Message) -> str:
    """The mail as a program shows it that shows HTML, within the layout of the project."""
    locale = (message.recipient and message.recipient.locale) or "en"
    body = around(message.branding.layout, _content(message), _color(message), _values(message))
    return (
        f'<!doctype html><html lang="{escape(locale)}"><head><meta charset="utf-8">'
        f"<title>{escape(one_line(message.title))}</title></head>"
        f'<body style="margin:0">{body}</body></html>\n'
    )


def _content(message: Message) -> str:
    """What the mail says. Its font is that of what stands around it."""
    ground = _color(message)
    ink = _readable_on(ground)
    links = "".join(
        f'<p><a href="{escape(link.url)}" style="display:inline-block;padding:10px 16px;border-radius:6px;'
        f'background:{ground};color:{ink};text-decoration:none">{escape(link.label or link.url)}</a></p>'
        for link in _links(message)
    )
    return (
        f'<h1 style="font-size:20px;margin:0 0 12px">{escape(one_line(message.title))}</h1>'
        f'<p style="white-space:pre-line">{escape(_body(message))}</p>{links}'
    )


def _values(message: Message) -> dict[str, str]:
    """Of the variables of a layout. The picture is one that the reader's program may load or not."""
    logo = message.branding.logo_url or ""
    return {
        "project.name": one_line(message.project_name),
        "branding.logoUrl": logo if _SECURE.match(logo) else "",
        "branding.emailFooter": _footer(message),
        "unsubscribeUrl": message.unsubscribe_url or "",
    }


def _color(message: Message) -> str:
    color = message.branding.color or ""
    return color if _HEX.fullmatch(color) else _DARK


def _readable_on(color: str) -> str:
    """Black or white, whichever stands out more from a colour (WCAG 2.2, relative luminance)."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return "#000000" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > _MIDDLE else "#ffffff"


def _footer(message: Message) -> str:
    return _plain(message.branding.footer or "").strip()


_DARK = "#1f2937"
_MIDDLE = 0.179  # black and white stand out equally
_HEX = re.compile(r"#[0-9A-Fa-f]{6}")


def _body(message: Message) -> str:
    return _plain(message.message)


def _plain(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _links(message: Message) -> list[Action]:
    """What can be followed from a mail: web addresses only, since the words come from a tenant."""
    wanted = []
    if message.action:
        wanted.append(Action(url=message.action.url, label=one_line(message.action.label or "") or "Open"))
    if message.ack_url:
        wanted.append(Action(url=message.ack_url, label="Acknowledge"))
    return [link for link in wanted if _WEB.match(link.url)]


_SECURE = re.compile(r"https://[^\s\x00-\x1f\x7f<>\"]+\Z", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s\x00-\x1f\x7f<>\"]+\Z", re.IGNORECASE)
