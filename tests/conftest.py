import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests import servers

# Where Debian has the plugins of the SASL library. pylibmc's wheels do not know, and
# look when they are imported.
for _folder in Path("/usr/lib").glob("*/sasl2"):
    os.environ.setdefault("SASL_PATH", str(_folder))

# How long an example takes says nothing about whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    """Give the port of a Redis server that all tests share."""
    yield from servers.redis_server()
