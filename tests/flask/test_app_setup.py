import json
import pickle
import traceback
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import cachelib
import pytest
import redis
from flask import Flask, render_template_string

from jinja_fragcache import (
    Cache,
    FragmentCache,
    MemoryStore,
    PolicyError,
    SettingError,
    StoreError,
)
from jinja_fragcache.flask.app_setup import make_app_cache
from jinja_fragcache.stores import FileStore
from tests.flask.custom_caches import no_store

PAGE = "{% cache 60, 'x' %}{{ n }}{% endcache %}"


class Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


class OneByte:
    """A serializer for lists of one small number."""

    def dumps(self, value: list[int]) -> bytes:
        return bytes(value)

    def loads(self, made: bytes) -> list[int]:
        return list(made)


def made(**settings: Any) -> FragmentCache:
    app = Flask(__name__)
    return make_app_cache(app, settings, strict=lambda: False).fragment_cache


@pytest.mark.parametrize("name", ["simple", "SimpleCache"])
def test_simple_is_a_memory_store(name: str) -> None:
    cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, MemoryStore)
    assert cache.policy.default_timeout == 300


@pytest.mark.parametrize("name", ["null", "NullCache"])
def test_null_stores_nothing_and_warns(name: str) -> None:
    with pytest.warns(UserWarning, match="CACHE_TYPE is 'null': nothing is cached"):
        cache = made(CACHE_TYPE=name)
    assert isinstance(cache.store, cachelib.NullCache)


def test_null_is_the_default() -> None:
    with pytest.warns(UserWarning, match="nothing is cached"):
        assert isinstance(made().store, cachelib.NullCache)


@pytest.mark.parametrize("config", [{}, {"CACHE_TYPE": "simple", "CACHE_TIMEUOT": 1}])
@pytest.mark.parametrize("initialize", [Cache, lambda app: Cache().init_app(app)])
def test_a_warning_names_the_line_of_the_application(
    config: dict[str, Any], initialize: Any
) -> None:
    app = Flask(__name__)
    app.config.update(config)
    with pytest.warns(UserWarning, match="CACHE_") as warned:
        initialize(app)
    assert [each.filename for each in warned] == [__file__]


def test_the_warning_of_null_can_be_turned_off() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made(CACHE_TYPE="null", CACHE_NO_NULL_WARNING=True)
        made(CACHE_TYPE="flask_caching.backends.NullCache")


def test_cache_type_may_be_a_store() -> None:
    store = cachelib.SimpleCache()
    assert made(CACHE_TYPE=store).store is store


def test_the_default_timeout_is_rounded_up() -> None:
    assert (
        made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=0).policy.default_timeout == 0
    )
    assert (
        made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT=1.5).policy.default_timeout == 2
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("STALE", 60, 60),
        ("STALE", timedelta(minutes=2), 120),
        ("STALE", None, 0),
        ("STALE_IF_ERROR", 1.5, 2),
        ("EARLY_REFRESH", 0.5, 0.5),
        ("JITTER", 1, 1),
        ("LOCK_TIMEOUT", 2.5, 2.5),
        ("LOCK_TIMEOUT", 0, 0),
        ("RETRY_AFTER", 30, 30),
        ("TEMPLATE_DIGEST", True, True),
        ("COMPRESSION", "zlib", "zlib"),
        ("COMPRESSION", "zstd", "zstd"),
        ("MAX_ENTRY_SIZE", 5000, 5000),
        ("MAX_ENTRY_SIZE", "5000", 5000),
    ],
)
def test_settings_reach_the_policy(name: str, value: Any, expected: Any) -> None:
    policy = made(**{"CACHE_TYPE": "simple", f"CACHE_{name}": value}).policy
    default = made(CACHE_TYPE="simple").policy
    assert policy == default._replace(**{name.lower(): expected})
    assert policy != default or not expected


def test_without_settings_the_policy_is_that_of_a_fragment_cache() -> None:
    policy = made(CACHE_TYPE="simple").policy
    # Flask-Caching has a timeout, and pickles.
    plain = FragmentCache().policy
    assert policy == plain._replace(default_timeout=300, serializer="pickle")


@pytest.mark.parametrize("name", ["filesystem", "FileSystemCache"])
def test_filesystem_writes_files_to_a_folder(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "cache"
    settings = {"CACHE_TYPE": name, "CACHE_DIR": folder, "CACHE_THRESHOLD": 7}
    store = made(**settings, CACHE_OPTIONS={"mode": 0o640}).store
    assert isinstance(store, FileStore)
    store.set("k", "text")
    (file,) = store._folder.entries()
    assert file.stat().st_mode & 0o777 == 0o640
    assert store._folder._threshold == 7
    assert made(**settings).get("k") == "text"


def test_a_folder_that_can_not_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingError, match="CACHE_DIR can't be used"):
        made(CACHE_TYPE="filesystem", CACHE_DIR=tmp_path / "file" / "folder")


def test_cache_threshold_limits_the_number_of_entries() -> None:
    store = made(CACHE_TYPE="simple", CACHE_THRESHOLD=2).store
    for key in "abc":
        store.set(key, key)
    assert [store.get(key) for key in "abc"] == [None, "b", "c"]


def test_cache_threshold_0_is_no_limit_for_files(tmp_path: Path) -> None:
    settings = {"CACHE_TYPE": "filesystem", "CACHE_DIR": tmp_path}
    store = made(**settings, CACHE_THRESHOLD="0").store
    assert isinstance(store, FileStore)
    for number in range(501):
        store.set(str(number), "x")
    assert all(store.has(str(number)) for number in range(501))


def test_cache_threshold_0_is_the_default_for_memory() -> None:
    store = made(CACHE_TYPE="simple", CACHE_THRESHOLD=0).store
    assert isinstance(store, MemoryStore)
    for number in range(501):
        store.set(str(number), "x")
    assert len(store) == 500


def test_settings_from_the_environment_are_read() -> None:
    cache = made(CACHE_TYPE="simple", CACHE_DEFAULT_TIMEOUT="60", CACHE_STALE="1.5")
    assert (cache.policy.default_timeout, cache.policy.stale) == (60, 2)


def test_cache_options_may_limit_the_bytes() -> None:
    store = made(CACHE_TYPE="simple", CACHE_OPTIONS={"max_bytes": 1000}).store
    assert store.set("k", "x" * 1000) is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHE_TYPE": "redsi"}, "CACHE_TYPE can't be 'redsi'. Did you mean redis"),
        ({"CACHE_TYPE": None}, "CACHE_TYPE can't be None"),
        ({"CACHE_TYPE": ["simple"]}, "CACHE_TYPE: builtins.list can't be a store"),
        ({"CACHE_TYPE": MemoryStore}, "write its name with"),
        (
            {"CACHE_TYPE": no_store},
            r"function .*\(app, config, args, kwargs\) .* CACHE_TYPE='tests\.flask\.",
        ),
        ({"CACHE_DEFAULT_TIMEOUT": "5 min"}, "CACHE_DEFAULT_TIMEOUT can't be '5 min'"),
        ({"CACHE_DEFAULT_TIMEOUT": -1}, "CACHE_DEFAULT_TIMEOUT: A timeout can't be -1"),
        (
            {"CACHE_STALE": "inf"},
            "CACHE_STALE: stale can't be inf .* number of seconds",
        ),
        ({"CACHE_STALE_IF_ERROR": -1}, "CACHE_STALE_IF_ERROR: stale_if_error can't be"),
        ({"CACHE_EARLY_REFRESH": True}, "CACHE_EARLY_REFRESH: .* number from 0"),
        ({"CACHE_JITTER": 1.1}, "CACHE_JITTER: jitter can't be 1.1 .* from 0 to 1"),
        ({"CACHE_LOCK_TIMEOUT": None}, "CACHE_LOCK_TIMEOUT: lock_timeout can't be"),
        ({"CACHE_RETRY_AFTER": "-1"}, "CACHE_RETRY_AFTER: retry_after can't be -1"),
        ({"CACHE_COMPRESSION": "gzip"}, "CACHE_COMPRESSION: .* 'zlib', 'zstd' or None"),
        ({"CACHE_COMPRESSION": True}, "CACHE_COMPRESSION: compression can't be True"),
        ({"CACHE_MAX_ENTRY_SIZE": 0}, "CACHE_MAX_ENTRY_SIZE: .* can't be 0"),
        (
            {"CACHE_MAX_ENTRY_SIZE": "1 MB"},
            "CACHE_MAX_ENTRY_SIZE can't be '1 MB'. .* CACHE_MAX_ENTRY_SIZE=1000000",
        ),
        ({"CACHE_MAX_ENTRY_SIZE": "0.5"}, "CACHE_MAX_ENTRY_SIZE: .* can't be 0.5"),
        ({"CACHE_TYPE": "filesystem"}, "CACHE_DIR is missing"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": "x"}, "CACHE_REDIS_PORT can't be"),
        ({"CACHE_OPTIONS": ["x"]}, "CACHE_OPTIONS can't be"),
        (
            {"CACHE_OPTIONS": {"x": 1}},
            "takes no option 'x' .CACHE_OPTIONS.* It takes threshold",
        ),
        ({"CACHE_OPTIONS": {"max_bytes": 0}}, "'simple': A MemoryStore can't be"),
        ({"CACHE_THRESHOLD": -1}, "CACHE_THRESHOLD can't be -1"),
        ({"CACHE_THRESHOLD": "0.5"}, "CACHE_THRESHOLD can't be 0.5"),
        ({"CACHE_THRESHOLD": True}, "CACHE_THRESHOLD can't be True"),
    ],
)
def test_an_error_names_the_wrong_setting(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError, match=message):
        made(**{"CACHE_TYPE": "simple", **settings})


def test_a_url_as_cache_type_is_not_shown() -> None:
    with pytest.raises(SettingError, match="CACHE_TYPE can't be this") as raised:
        made(CACHE_TYPE="redis://user:hidden@host/0")
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"TESTING": True}, cachelib.NullCache),
        ({"TESTING": True, "CACHE_TYPE": "redis"}, cachelib.NullCache),
        ({"TESTING": True, "CACHE_IN_TESTING": False}, cachelib.NullCache),
        ({"TESTING": True, "CACHE_IN_TESTING": True}, MemoryStore),
        ({"TESTING": False, "CACHE_IN_TESTING": False}, MemoryStore),
    ],
)
def test_testing_turns_the_cache_off_unless_cache_in_testing(
    settings: dict[str, Any], kind: type
) -> None:
    assert isinstance(made(**{"CACHE_TYPE": "simple", **settings}).store, kind)


def in_time(app: Flask) -> None:
    app.testing = True
    Cache(app, config={"CACHE_TYPE": "simple"})


def set_later(app: Flask) -> None:
    Cache(app, config={"CACHE_TYPE": "simple"})
    app.testing = True


def set_later_in_the_config(app: Flask) -> None:
    app.config["CACHE_TYPE"] = "simple"
    Cache().init_app(app, config=app.config)
    app.config.update(TESTING=True)


def given_to_the_cache(app: Flask) -> None:
    Cache(app, config={"CACHE_TYPE": "simple", "TESTING": True})


@pytest.mark.parametrize(
    "set_up", [in_time, set_later, set_later_in_the_config, given_to_the_cache]
)
def test_nothing_is_cached_in_testing_and_one_line_says_so(
    set_up: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    set_up(app)
    (cache,) = app.extensions["jinja_fragcache"]
    with app.test_request_context():
        assert not caplog.records
        pages = [render_template_string(PAGE, n=n) for n in "ab"]
        assert pages == ["a", "b"]
        assert isinstance(app.jinja_env.fragment_cache.store, cachelib.NullCache)  # type: ignore[attr-defined]
    (line,) = caplog.messages
    assert line.startswith("Nothing is cached, because TESTING is true.")
    assert "set CACHE_IN_TESTING to True" in line
    assert cache.fragment_cache.store is app.jinja_env.fragment_cache.store  # type: ignore[attr-defined]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", ["CACHE_IN_TESTING", "CACHE_NO_NULL_WARNING"])
def test_the_settings_for_testing_are_looked_at_when_the_cache_is_first_used(
    when: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    app.config["CACHE_TYPE"] = "simple"
    if when == "before":
        app.config[name] = True
    cache = Cache(app)
    app.config.update({"TESTING": True, name: True})
    cache.set("k", 1)
    assert cache.get("k") == (1 if name == "CACHE_IN_TESTING" else None)
    assert not caplog.records


def test_testing_that_ends_before_the_first_use_is_over() -> None:
    app = Flask(__name__)
    app.testing = True
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    app.testing = False
    cache.set("k", 1)
    app.testing = True
    assert cache.get("k") == 1


def test_a_wrong_setting_is_an_error_at_once_in_testing_too() -> None:
    for settings in ({"CACHE_JITTER": 2}, {"CACHE_SERIALIZER": "yaml"}):
        with pytest.raises(SettingError):
            made(TESTING=True, CACHE_TYPE="simple", **settings)


@pytest.mark.parametrize("name", ["null", "NullCache", ""])
def test_the_type_null_says_so_itself_in_testing(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask(__name__)
    app.testing = True
    with pytest.warns(UserWarning, match="CACHE_TYPE is 'null': nothing is cached"):
        cache = Cache(app, config={"CACHE_TYPE": name})
    cache.set("k", 1)
    assert not caplog.records


@pytest.mark.parametrize(
    "serializer", ["pickle", pickle, "json", json, OneByte, OneByte()]
)
def test_cache_serializer_takes_names_modules_classes_and_objects(
    serializer: Any,
) -> None:
    config = {"CACHE_TYPE": "simple", "CACHE_SERIALIZER": serializer}
    cache = Cache(Flask(__name__), config=config)
    cache.set("k", [1])
    assert cache.get("k") == [1]


def test_the_default_timeout_may_be_given_in_cache_options() -> None:
    options = {"default_timeout": 7}
    assert made(CACHE_TYPE="simple", CACHE_OPTIONS=options).policy.default_timeout == 7
    with pytest.raises(SettingError, match="CACHE_OPTIONS: A timeout can't be 'x'"):
        made(CACHE_TYPE="simple", CACHE_OPTIONS={"default_timeout": "x"})


@pytest.mark.parametrize("make", [cachelib.SimpleCache, cachelib.FileSystemCache])
def test_a_cachelib_store_unpickles_nothing(make: Any, tmp_path: Path) -> None:
    arguments = [str(tmp_path)] if make is cachelib.FileSystemCache else []
    store = make(*arguments)
    store.set("k", Touch(tmp_path / "touched"))
    cache = Cache(Flask(__name__), config={"CACHE_TYPE": store})
    assert cache.get("k") is None
    assert not (tmp_path / "touched").exists()
    cache.set("text", "<p>")
    assert cache.get("text") == "<p>"


@pytest.mark.parametrize("bad", ["yaml", 5, object(), int])
def test_a_wrong_cache_serializer_is_an_error(bad: Any) -> None:
    with pytest.raises(SettingError, match="It is 'pickle', 'json', or an object with"):
        made(CACHE_TYPE="simple", CACHE_SERIALIZER=bad)


@pytest.mark.parametrize("bad", ["", [], ["key", ""], 5, ["hidden", None]])
def test_the_error_of_a_wrong_signing_key_hides_it(bad: Any) -> None:
    with pytest.raises(
        SettingError, match=r"CACHE_SIGNING_KEY: .* It is a secret text"
    ) as raised:
        made(CACHE_TYPE="simple", CACHE_SIGNING_KEY=bad)
    assert "hidden" not in str(raised.value)


URL = "redis://ann:hidden@host/0"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": URL}, "CACHE_REDIS_HOST can't be"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_PORT": URL}, "CACHE_REDIS_PORT can't be"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_DB": URL}, "CACHE_REDIS_DB can't be"),
        (
            {"CACHE_TYPE": "redissentinel", "CACHE_REDIS_SENTINELS": [(URL, "x")]},
            "CACHE_REDIS_SENTINELS can't be",
        ),
        (
            {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": [(URL, 1)]},
            "Servers have the form",
        ),
    ],
)
def test_a_url_in_a_wrong_setting_is_not_shown(settings: Any, message: str) -> None:
    with pytest.raises((SettingError, StoreError), match=message) as raised:
        made(**settings)
    assert "hidden" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHE_TYPE": "redis", "CACHE_KEY_PREFIX": 5}, "CACHE_KEY_PREFIX can't be 5"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": 5}, "CACHE_REDIS_HOST can't be 5"),
        ({"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": None}, "CACHE_REDIS_HOST can't"),
        (
            {"CACHE_TYPE": "redis", "CACHE_REDIS_HOST": redis.Redis},
            "CACHE_REDIS_HOST can't",
        ),
        ({"CACHE_TYPE": "filesystem", "CACHE_DIR": 5}, "CACHE_DIR can't be 5"),
        (
            {"CACHE_TYPE": "memcached", "CACHE_MEMCACHED_SERVERS": []},
            "no Memcached server in the list",
        ),
        (
            {"CACHE_TYPE": "tests.flask.custom_caches.forgetful"},
            "gave None. It has to return a store",
        ),
    ],
)
def test_a_wrong_value_is_an_error_at_once(settings: Any, message: str) -> None:
    with pytest.raises((SettingError, StoreError), match=message):
        made(**settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"CACHE_IGNORE_ERRORS": True}, True),
        ({"CACHE_OPTIONS": {"ignore_delete_many_errors": True}}, True),
        ({"CACHE_OPTIONS": {"ignore_errors": True}}, True),
        (
            {"CACHE_OPTIONS": {"ignore_errors": False}, "CACHE_IGNORE_ERRORS": True},
            False,
        ),
    ],
)
def test_failed_deletes_may_be_ignored_by_an_option_too(
    settings: Any, expected: bool
) -> None:
    app_cache = make_app_cache(
        Flask(__name__), {"CACHE_TYPE": "simple", **settings}, strict=lambda: False
    )
    assert app_cache.ignore_errors is expected


@pytest.mark.parametrize(
    ("setting", "debug", "collects"),
    [
        (None, False, False),
        (None, True, True),
        (True, False, True),
        (False, True, False),
        ("yes", False, True),
    ],
)
def test_figures_are_collected_in_debug_mode_or_if_asked_for(
    setting: object, debug: bool, collects: bool
) -> None:
    app = Flask(__name__)
    config = {"CACHE_TYPE": "simple", "CACHE_STATISTICS": setting}
    cache = Cache(app, config=config)
    # After the cache was made, as `app.run(debug=True)` does.
    app.debug = debug
    with app.app_context():
        assert (cache.fragment_cache.figures is not None) is collects


def test_statistics_are_a_flag() -> None:
    with pytest.raises(SettingError, match="CACHE_STATISTICS"):
        Cache(Flask(__name__), config={"CACHE_STATISTICS": "perhaps"})
    with pytest.raises(PolicyError, match="statistics"):
        FragmentCache(statistics=1)  # type: ignore[arg-type]
