"""Pages while a real Redis server hangs, dies and comes back."""

import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.own_patience
def test_no_page_fails_while_the_server_has_another_certificate(tmp_path: Path) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for each in folders:
        each.mkdir()
    first, second = map(servers.certificate, folders)

    @contextmanager
    def restarted(certificate: servers.Certificate) -> Iterator[None]:
        options = servers.tls_options(certificate)
        command = [part.format(port=server.port) for part in options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as again:
            yield
            again.kill()

    with servers.running(*servers.tls_options(first)) as server:
        url = f"rediss://127.0.0.1:{server.port}"
        store = RedisStore(url=url, ssl_ca_certs=str(first.file), key_prefix="shop:")
        cache = FragmentCache(store, retry_after=0.1)
        template = environment(store=cache).from_string(PAGE)
        assert render(template) == ROWS
        assert render(template) == ROWS
        assert (cache.stats().hits, cache.stats().failures) == (FRAGMENTS, 0)
        server.process.kill()
        server.process.wait()
        with restarted(second):

            def is_refused() -> bool:
                assert render(template) == ROWS
                with pytest.raises(StoreError) as raised:
                    cache.delete_fragment("row", [1])
                return "CERTIFICATE_VERIFY_FAILED" in str(raised.value)

            servers.wait_for(is_refused)
            assert cache.stats().failures > 0
        with restarted(first):
            before = cache.stats().hits

            def hits_resume() -> bool:
                assert render(template) == ROWS
                return cache.stats().hits > before

            servers.wait_for(hits_resume)
        store._client.close()
