"""`CACHE_ARGS` and `CACHE_OPTIONS`."""

from pathlib import Path
from typing import Any

import pytest

from jinja_fragcache import MemoryStore, SettingError
from jinja_fragcache.stores import FileStore, RedisClusterStore
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


@pytest.mark.parametrize("how", ["CACHE_ARGS", "CACHE_OPTIONS"])
def test_arguments_stand_for_a_setting_that_is_needed(
    how: str, tmp_path: Path, opened: list[Any]
) -> None:
    def given(**arguments: Any) -> dict[str, Any]:
        return {how: arguments if how == "CACHE_OPTIONS" else [*arguments.values()]}

    folder = tmp_path / "mine"
    made(CACHE_TYPE="filesystem", **given(cache_dir=str(folder)))
    assert folder.exists()
    nodes = given(cluster="127.0.0.1:1")
    assert isinstance(made(CACHE_TYPE="rediscluster", **nodes), RedisClusterStore)
    pytest.importorskip("pylibmc")  # There are wheels for Python 3.11 only.
    login: dict[str, Any] = {
        "servers": ["127.0.0.1:1"],
        "default_timeout": 60,
        "key_prefix": "p",
    }
    login |= {"username": "ann", "password": "secret"}
    opened.append(made(CACHE_TYPE="saslmemcached", **given(**login)))
    login.popitem()
    with pytest.raises(SettingError, match="CACHE_MEMCACHED_PASSWORD is missing"):
        made(CACHE_TYPE="saslmemcached", **given(**login))


def test_names_of_options_are_texts() -> None:
    with pytest.raises(SettingError, match="CACHE_OPTIONS has the name 5"):
        made(CACHE_TYPE="simple", CACHE_OPTIONS={5: 5})
