"""What the package remembers besides the entries in the store."""

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from jinja_fragcache import FragmentCache, MemoryStore
from tests.support import environment

STORE_BYTES = 2**18
TAG = "{% cache 300, 'x', n, tags=tags, stale=60 %}{{ n }}{% endcache %}"


@pytest.fixture
def tracing() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("tracing")
def test_fragments_that_left_the_store_are_not_remembered_by_their_size() -> None:
    env = environment(store=FragmentCache(MemoryStore(max_bytes=STORE_BYTES)))
    template = env.from_string(TAG)

    def render(number: int) -> None:
        tags = [f"tag {number} {each}" for each in range(200)]
        for _ in range(2):  # a miss and a hit
            assert template.render(n=number, tags=tags) == str(number)

    render(0)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(1, 600):
        render(number)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    # Header lines and what was read from these may take 4 MiB, and the keys of tags'
    # versions 2 MiB. Without a bound in bytes, it would be 28 MB.
    assert after - before < 8 * 2**20
