"""Fixtures that the tests of the Flask extension share."""

from collections.abc import Iterator
from typing import Any

import pytest

from jinja_fragcache import Cache
from tests.flask.support import Site
from tests.support import Clock, Counter


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def cache(site: Site) -> Cache:
    return site.cache


@pytest.fixture
def calls(site: Site) -> Counter:
    return site.calls


@pytest.fixture
def clock(site: Site) -> Clock:
    return site.clock


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    """Return a list for stores whose connections are closed after the test."""
    stores: list[Any] = []
    yield stores
    for store in stores:
        (store if hasattr(store, "close") else store._client).close()
