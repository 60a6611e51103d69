"""What processes do that were forked or started while others use the same store."""

import http.client
import os
import random
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pymemcache

from jinja_fragcache.stores import FileStore, MemcachedStore, RedisStore, Store

KEYS = [f"u{number}" for number in range(50)]
_store: Any = None


def text(key: str) -> str:
    return f"page of {key}"


def count_wrong(store: Any, times: int) -> int:
    """Read keys that all have a value, and return how many were of another key."""
    chosen = random.Random(os.getpid())
    wrong = 0
    for _ in range(times):
        key = chosen.choice(KEYS)
        wrong += store.get(key) != text(key)
    return wrong


def make_store(kind: str, port: int, folder: str) -> Store:
    if kind == "redis":
        return RedisStore("127.0.0.1", port, key_prefix="w:")
    if kind == "file":
        return FileStore(folder)
    if kind == "pylibmc":
        return MemcachedStore([f"127.0.0.1:{port}"], key_prefix="w:")
    client = pymemcache.PooledClient(("127.0.0.1", port), timeout=10)
    return MemcachedStore(client, key_prefix="w:")


def begin(kind: str, port: int, folder: str) -> None:
    """Make the store of this process, and of those that it forks."""
    global _store  # noqa: PLW0603 - a process has one, and tasks can't be given it
    _store = make_store(kind, port, folder)
    for key in KEYS:
        _store.set(key, text(key))


def work(times: int) -> int:
    return count_wrong(_store, times)


def end() -> None:
    if isinstance(_store, MemcachedStore):
        _store.close()
    elif isinstance(_store, RedisStore):
        _store._client.close()


def application() -> Callable[..., Iterable[bytes]]:
    """Return a WSGI application, whose store is used before the server forks."""
    begin(
        os.environ["FORK_STORE"],
        int(os.environ["FORK_PORT"]),
        os.environ["FORK_FOLDER"],
    )
    sys.stderr.write(f"{work(100)} wrong before the fork\n")

    def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        found = _store.get(environ["PATH_INFO"].removeprefix("/"))
        start_response("200 OK", [("X-Process", str(os.getpid()))])
        return [str(found).encode()]

    return serve


class Pages(NamedTuple):
    """How many pages were not those asked for, and the processes that served all."""

    wrong: int
    processes: set[int]


def request_pages(port: int, *, clients: int, requests: int) -> Pages:
    """Request pages of a server that serves `application()`."""

    def ask(client: int) -> Pages:
        chosen = random.Random(client)
        wrong, processes = 0, set()
        for _ in range(requests):
            key = chosen.choice(KEYS)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", f"/{key}")
            response = connection.getresponse()
            wrong += response.read() != text(key).encode()
            processes.add(int(response.headers["X-Process"]))
            connection.close()
        return Pages(wrong, processes)

    with ThreadPoolExecutor(clients) as pool:
        asked = list(pool.map(ask, range(clients)))
    processes = {each for pages in asked for each in pages.processes}
    return Pages(sum(pages.wrong for pages in asked), processes)
