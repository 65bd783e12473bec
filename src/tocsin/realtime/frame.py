"""A WebSocket text frame as bytes, made once however many sockets it goes to (RFC 6455 section 5.2)."""

from websockets.frames import Frame, Opcode


def text_frame(payload: bytes) -> bytes:
    """What a server writes for one text message: unmasked, so the same bytes for every client."""
    return Frame(Opcode.TEXT, payload).serialize(mask=False)
