"""`CACHE_ARGS` and `CACHE_OPTIONS`."""

from pathlib import Path

import pytest

from jinja_fragcache import MemoryStore
from jinja_fragcache.stores import FileStore
from tests.flask.support import made


@pytest.mark.parametrize("name", ["simple", "SimpleCache"])
def test_arguments_override_the_settings_of_simple(name: str) -> None:
    store = made(CACHE_TYPE=name, CACHE_ARGS=[2, 60], CACHE_THRESHOLD=9)
    assert isinstance(store, MemoryStore)
    assert (store._threshold, store.default_timeout) == (2, 60)


@pytest.mark.parametrize("name", ["filesystem", "FileSystemCache"])
def test_arguments_override_the_settings_of_filesystem(
    name: str, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    store = made(CACHE_TYPE=name, CACHE_ARGS=[str(mine)], CACHE_DIR=tmp_path / "other")
    assert isinstance(store, FileStore)
    assert mine.exists()
    assert not (tmp_path / "other").exists()
