import hashlib
from datetime import timedelta
from typing import Any

import pytest

from jinja_fragcache import FragmentCache
from jinja_fragcache.flask.inspector import shown_settings
from jinja_fragcache.flask.setting_values import read_settings
from jinja_fragcache.flask.settings import SETTINGS
from jinja_fragcache.inspector.masking import show_setting, shown
from jinja_fragcache.inspector.rules import shown_rules

SECRET = "hunter2"


class Client:
    """Shows its password, as clients of servers do."""

    def __repr__(self) -> str:
        return f"Client(password={SECRET})"


class Text(str):
    """May show anything."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CACHE_REDIS_PASSWORD", SECRET),
        ("CACHE_MEMCACHED_PASSWORD", SECRET.encode()),
        ("CACHE_REDIS_SENTINEL_PASSWORD", SECRET),
        ("CACHE_SIGNING_KEY", SECRET),
        ("CACHE_SIGNING_KEY", [SECRET, "newer"]),
        ("CACHE_REDIS_URL", f"redis://user:{SECRET}@host:6379/0"),
        ("CACHE_REDIS_URL", f"redis://:{SECRET}@host"),
        ("CACHE_REDIS_URL", f"redis://host/0?password={SECRET}"),
        ("CACHE_REDIS_CLUSTER", f"user:{SECRET}@host:6379,host:6380"),
        ("CACHE_MEMCACHED_SERVERS", [f"user:{SECRET}@host:11211"]),
        ("CACHE_MEMCACHED_SERVERS", Client()),
        ("CACHE_REDIS_HOST", Client()),
        ("CACHE_TYPE", Client()),
        ("CACHE_ARGS", ["host", 6379, SECRET]),
        ("CACHE_ARGS", SECRET),
        ("CACHE_OPTIONS", {"password": SECRET}),
        ("CACHE_OPTIONS", {"SECRET": SECRET}),
        ("CACHE_OPTIONS", {"connection_string": f"Key={SECRET}"}),
        ("CACHE_OPTIONS", {"nested": {"api_key": SECRET, "a": [{"x": SECRET}]}}),
        ("CACHE_OPTIONS", {"listed": [SECRET], "pair": (SECRET,)}),
        ("CACHE_OPTIONS", {"credential_provider": Client()}),
        ("CACHE_OPTIONS", {b"password": SECRET.encode()}),
        ("CACHE_OPTIONS", Text(SECRET)),
        ("CACHE_LISTENERS", [Client()]),
        ("CACHE_DIR", Text(SECRET)),
        ("CACHE_DIR", SECRET.encode()),
    ],
)
def test_no_secret_is_shown(name: str, value: Any) -> None:
    assert SECRET not in shown(name, value)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CACHE_REDIS_PASSWORD", None, "None"),
        ("CACHE_REDIS_PASSWORD", "", "empty"),
        ("CACHE_REDIS_PASSWORD", SECRET, "•••••• (set)"),
        ("CACHE_ARGS", [], "[]"),
        ("CACHE_KEY_PREFIX", "flask_cache_", "'flask_cache_'"),
        ("CACHE_REDIS_URL", f"redis://u:{SECRET}@host:1/0", "'redis://...@host:1/0'"),
        ("CACHE_DEFAULT_TIMEOUT", timedelta(minutes=5), "0:05:00"),
        ("CACHE_GUARD_ALLOW", ("g.theme",), "('g.theme')"),
        ("CACHE_REDIS_SENTINELS", [("h", 1)], "[('h', 1)]"),
        (
            "CACHE_OPTIONS",
            {"socket_timeout": 0.5, "host": "here", "password": SECRET},
            "{'socket_timeout': 0.5, 'host': 'here', 'password': ••••••}",
        ),
        ("CACHE_VARY_ON", shown, "jinja_fragcache.inspector.masking.shown"),
        ("CACHE_FILE_HASH_METHOD", hashlib.sha256, "_hashlib.openssl_sha256"),
        ("CACHE_TYPE", Client, "class tests.inspector.test_masking.Client"),
        ("CACHE_TYPE", Client(), "an object of Client"),
    ],
)
def test_all_else_is_shown_as_it_is(name: str, value: Any, told: str) -> None:
    assert shown(name, value) == told


def test_a_long_value_is_cut() -> None:
    assert len(shown("CACHE_DIR", "x" * 10_000)) < 400


def test_a_value_that_contains_itself_has_an_end() -> None:
    inner: list[Any] = []
    inner.append(inner)
    assert shown("CACHE_LISTENERS", inner) == "[[[an object of list]]]"


def test_what_differs_from_its_default_is_told() -> None:
    assert not show_setting("CACHE_PREFETCH", 1, True).is_default
    assert show_setting("CACHE_PREFETCH", True, True).is_default


def test_the_settings_of_an_application_are_all_there() -> None:
    given = {"CACHE_REDIS_PASSWORD": SECRET, "SECRET_KEY": SECRET}
    rows = shown_settings(read_settings(given))
    assert [each.name for each in rows] == [each.name for each in SETTINGS]
    assert SECRET not in str(rows)


def test_the_rules_of_a_cache_without_settings_are_those_of_its_policy() -> None:
    rows = {each.name: each for each in shown_rules(FragmentCache(stale=60))}
    assert rows["stale"].value == "60"
    assert not rows["stale"].is_default
    assert rows["jitter"].is_default
