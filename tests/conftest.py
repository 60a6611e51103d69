import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from jinja_fragcache.engine import dependencies
from jinja_fragcache.engine.singleflight import Flights
from tests import servers
from tests.joins import Joins

# The folder of the SASL library's plugins on Debian. pylibmc's wheels do not know it,
# and look for them when they are imported.
for _folder in Path("/usr/lib").glob("*/sasl2"):
    os.environ.setdefault("SASL_PATH", str(_folder))

PASSWORD = "correct-horse"

# Examples of Hypothesis may take any time. CI always tries the same ones, so that a
# change fails only for what it did.
settings.register_profile(
    "untimed", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True
)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """Provide the port of a Redis server that all tests share."""
    yield from servers.redis_server()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> servers.Certificate:
    """Provide the certificate of `redis_tls_port`."""
    return servers.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def redis_tls_port(certificate: servers.Certificate) -> Iterator[int]:
    """Provide the port of a Redis server with TLS that all tests share."""
    with servers.running(*servers.tls_options(certificate)) as server:
        yield server.port


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Watched]:
    """Provide a Redis master, its replica and a sentinel that all tests share."""
    folder = tmp_path_factory.mktemp("sentinel")
    with servers.redis_with_sentinel(folder, PASSWORD) as watched:
        yield watched


@pytest.fixture(scope="session")
def cluster_ports() -> Iterator[list[int]]:
    """Provide the ports of a Redis cluster that all tests share."""
    with servers.redis_cluster() as ports:
        yield ports


@pytest.fixture(scope="session")
def memcached_port() -> Iterator[int]:
    """Provide the port of a Memcached server that all tests share."""
    yield from servers.memcached()


@pytest.fixture(scope="session")
def sasl_port() -> Iterator[int]:
    """Provide the port of a Memcached server with SASL that all tests share."""
    pytest.importorskip("pylibmc")
    # Not pytest's folder, which Memcached could not read.
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.sasl_memcached(Path(folder), "ann", PASSWORD) as server,
    ):
        yield server.port


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Provide a Chromium that all tests share."""
    pytest.importorskip("selenium")
    # Importing selenium takes a third of a second, and few tests need it.
    from tests.browser import chromium  # noqa: PLC0415

    with chromium() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Any) -> Any:
    """Provide a Chromium that shows an empty page, of 1,300 by 900 pixels.

    `tests.browser` has what tests do with it.
    """
    from tests.browser import reset  # noqa: PLC0415

    reset(chromium)
    return chromium


@pytest.fixture
def joins(monkeypatch: pytest.MonkeyPatch) -> Joins:
    """Count the callers that have joined a flight."""
    counted = Joins()
    for name in ("join", "lead"):
        monkeypatch.setattr(Flights, name, counted.counting(getattr(Flights, name)))
    return counted


@pytest.fixture(autouse=True)
def patient_clients(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make clients wait longer for servers than they do in production.

    On a busy machine, a quarter of a second is not enough for each of some thousand
    calls. Tests of how long clients wait are marked with `own_patience`.
    """
    if request.node.get_closest_marker("own_patience") is None:
        for module in ("memcached_clients", "per_loop", "redis_clients"):
            monkeypatch.setattr(f"jinja_fragcache.stores.{module}._SECONDS", 10.0)


@pytest.fixture(autouse=True)
def _no_names_left_noting() -> Iterator[None]:
    """Forget the names that a test, or an example in the docs, tells the guard."""
    before = dict(dependencies._noting)
    yield
    dependencies._noting.clear()
    dependencies._noting.update(before)
