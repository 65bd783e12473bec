"""Addresses of databases, without what it takes to talk to one."""

from urllib.parse import quote, urlsplit


def plain_url(url: str) -> str:
    """The URL as asyncpg takes it: without a driver in its scheme."""
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def with_login(url: str, user: str, password: str) -> str:
    """The same host and database under another login."""
    parts = urlsplit(plain_url(url))
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}").geturl()
