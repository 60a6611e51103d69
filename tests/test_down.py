"""Pages while a real Redis server hangs, dies and comes back."""

import socket
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from jinja_fragcache import FragmentCache, StoreError
from jinja_fragcache.stores import RedisStore
from tests import servers
from tests.support import Counter, environment

pytestmark = pytest.mark.slow

FRAGMENTS = 50
PAGE = (
    "{% for n in range(" + str(FRAGMENTS) + ") %}"
    '{% cache 300, "row", n %}{{ n }}{{ body() }};{% endcache %}{% endfor %}'
)
ROWS = "".join(f"{n};" for n in range(FRAGMENTS))


def render(template: Any, body: Any = lambda: "") -> str:
    return str(template.render(body=body))


@pytest.mark.own_patience
def test_a_page_waits_once_for_a_server_that_hangs() -> None:
    with servers.running(*servers.REDIS) as server:
        store = RedisStore("127.0.0.1", server.port, key_prefix="shop:")
        cache = FragmentCache(store)
        template = environment(store=cache).from_string(PAGE)
        assert render(template) == ROWS
        with servers.paused(server.process.pid):
            started = time.monotonic()
            assert render(template) == ROWS
            # One time-out of 0.25 seconds. Fifty would take 12 seconds and more.
            assert time.monotonic() - started < 1
            with pytest.raises(StoreError):
                cache.delete_fragment("row", [1])
        assert cache.stats().skipped >= FRAGMENTS - 1
        calls = Counter()

        def hits_resume() -> bool:
            calls.calls = 0
            assert render(template, lambda: calls() and "") == ROWS
            return calls.calls == 0

        servers.wait_for(hits_resume)
        store._client.close()


@pytest.mark.own_patience
def test_no_page_fails_while_the_server_is_killed_and_comes_back() -> None:
    clients = 16
    with servers.running(*servers.REDIS) as server:
        store = RedisStore("127.0.0.1", server.port, key_prefix="shop:")
        cache = FragmentCache(store, retry_after=0.1)
        template = environment(store=cache).from_string(PAGE)
        stop = threading.Event()
        pages = Counter()

        def load() -> set[str]:
            seen = set()
            while not stop.is_set():
                seen.add(render(template))
                pages()
            return seen

        with ThreadPoolExecutor(clients) as pool:
            loads = [pool.submit(load) for _ in range(clients)]
            servers.wait_for(lambda: cache.stats().hits > 10 * FRAGMENTS)
            server.process.kill()
            server.process.wait()
            servers.wait_for(lambda: cache.stats().skipped > 10 * FRAGMENTS)
            command = [part.format(port=server.port) for part in servers.REDIS]
            with subprocess.Popen(command, stdout=subprocess.DEVNULL) as again:
                before = cache.stats().hits
                servers.wait_for(lambda: cache.stats().hits > before + 10 * FRAGMENTS)
                stop.set()
                assert [each.result() for each in loads] == [{ROWS}] * clients
                again.kill()
        assert pages.calls > clients
        store._client.close()


class CuttingProxy:
    """Passes bytes on to a server, and ends each connection after so many of them."""

    def __init__(self, port: int, most: int) -> None:
        self._server = port
        self._most = most
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server)) as server:
            upwards = threading.Thread(target=self._pass, args=(client, server, 10**9))
            upwards.start()
            self._pass(server, client, self._most)
            for each in (client, server):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
            upwards.join()

    @staticmethod
    def _pass(source: socket.socket, target: socket.socket, most: int) -> None:
        while most > 0:
            try:
                data = source.recv(65536)[:most]
                target.sendall(data)
            except OSError:
                return
            if not data:
                return
            most -= len(data)

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("most", [1, 3, 7, 50, 333, 1000, 4097])
def test_no_page_is_wrong_if_connections_are_cut(most: int, redis_port: int) -> None:
    with redis.Redis(port=redis_port) as client:
        client.flushall()
    proxy = CuttingProxy(redis_port, most)
    store = RedisStore("127.0.0.1", proxy.port, key_prefix="cut:")
    cache = FragmentCache(store, retry_after=0)
    template = environment(store=cache).from_string(PAGE)
    for _ in range(20):
        assert render(template) == ROWS
    assert cache.stats().failures
    proxy.close()
    store._client.close()
