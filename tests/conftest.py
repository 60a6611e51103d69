from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import servers

# How long an example takes says nothing about whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """Give the port of a Redis server that all tests share."""
    yield from servers.redis_server()
