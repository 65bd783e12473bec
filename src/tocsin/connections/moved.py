"""Addresses that a provider replaced by others: the group that became a supergroup (T11)."""

import asyncpg


async def move_address(connection: asyncpg.Connection, kind: str, before: str, after: str) -> None:
    """Write the new address wherever a project has the old one, all in the caller's transaction and scope.

    Twice is as once, and an address that is there already stays alone.
    """
    await connection.execute(_TWICE, kind, before, after)
    await connection.execute(_ADDRESSES, kind, before, after)
    await connection.execute(_DESTINATIONS, kind, before, after)
    await connection.execute(_KNOWN_TWICE, before, after)
    await connection.execute(_REACHABILITY, before, after)
    await connection.execute(_SEEN_TWICE, kind, before, after)
    await connection.execute(_CHATS, kind, before, after)


_TWICE = """
DELETE FROM tocsin.addresses a WHERE a.channel = $1 AND a.value = $2 AND EXISTS (
    SELECT FROM tocsin.addresses b WHERE b.user_id = a.user_id AND b.channel = $1 AND b.value = $3)
"""
_ADDRESSES = "UPDATE tocsin.addresses SET value = $3, updated_at = now() WHERE channel = $1 AND value = $2"
_DESTINATIONS = """
UPDATE tocsin.destinations d SET target = $3, updated_at = now() FROM tocsin.connections c
WHERE c.project_id = d.project_id AND c.id = d.connection_id AND c.channel = $1 AND d.target = $2
"""
_KNOWN_TWICE = """
DELETE FROM tocsin.reachability r WHERE r.address_hash = sha256(convert_to($1::text, 'UTF8')) AND EXISTS (
    SELECT FROM tocsin.reachability b
    WHERE b.connection_id = r.connection_id AND b.address_hash = sha256(convert_to($2::text, 'UTF8')))
"""
_REACHABILITY = """
UPDATE tocsin.reachability SET address_hash = sha256(convert_to($2::text, 'UTF8'))
WHERE address_hash = sha256(convert_to($1::text, 'UTF8'))
"""
_SEEN_TWICE = """
DELETE FROM tocsin.chats h USING tocsin.connections c
WHERE c.project_id = h.project_id AND c.id = h.connection_id AND c.channel = $1 AND h.target = $2 AND EXISTS (
    SELECT FROM tocsin.chats b WHERE b.connection_id = h.connection_id AND b.target = $3)
"""
_CHATS = """
UPDATE tocsin.chats h SET target = $3, kind = 'supergroup', changed_at = now() FROM tocsin.connections c
WHERE c.project_id = h.project_id AND c.id = h.connection_id AND c.channel = $1 AND h.target = $2
"""
