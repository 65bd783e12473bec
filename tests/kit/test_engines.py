"""The throw-away Redis that other tests lean on."""

import redis

from tests.engines import running_redis


def test_redis_serves_and_ends() -> None:
    with running_redis() as server:
        client = redis.Redis.from_url(server.url)
        assert client.ping()
        assert server.process is not None
        process = server.process
        assert list(server.folder.glob("append*")) == []
        client.close()
    assert process.poll() is not None


def test_with_appendonly_a_killed_redis_has_its_data_again() -> None:
    with running_redis(appendonly=True) as server:
        client = redis.Redis.from_url(server.url)
        client.config_set("appendfsync", "always")
        client.set("answer", "42")
        server.kill()
        server.start()
        assert client.get("answer") == b"42"
        client.close()


def test_stopped_redis_starts_again_on_the_same_port_and_empty_without_appendonly() -> None:
    with running_redis() as server:
        client = redis.Redis.from_url(server.url)
        client.set("answer", "42")
        url = server.url
        server.stop()
        server.start()
        assert server.url == url
        assert client.get("answer") is None
        client.close()
