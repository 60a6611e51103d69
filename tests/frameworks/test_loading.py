"""What knows of a framework's requests is imported with the first one."""

import subprocess
import sys
from typing import Any

import pytest
from jinja2 import Environment
from jinja2.runtime import Context
from starlette.requests import Request

from jinja_fragcache.engine import dependencies
from jinja_fragcache.engine.framework import Framework
from jinja_fragcache.frameworks import loading
from jinja_fragcache.frameworks.contexts import RequestsInContexts
from jinja_fragcache.frameworks.loading import (
    LoadingByContext,
    LoadingByModule,
    watch_frameworks,
)

LATE = """
import sys
from jinja2 import Environment
from jinja_fragcache import FragmentCacheExtension

def known():
    return [each for each in ("contexts", "quart", "starlette")
            if f"jinja_fragcache.frameworks.{each}" in sys.modules]

env = Environment(extensions=[FragmentCacheExtension])
page = env.from_string(
    "{% cache 60, 'a', b %}{% if request %}{{ request.url.path }}{% endif %}"
    "{% endcache %}"
)
assert page.render(b=1) == page.render(b=2, request=None) == ""
assert known() == []
from starlette.requests import Request
scope = {"type": "http", "method": "GET", "path": "/a", "query_string": b"",
         "headers": [], "scheme": "http", "server": ("a.com", 80)}
assert page.render(b=3, request=Request(scope)) == "/a"
assert "starlette" in known()
stats = env.fragment_cache.stats()
assert (stats.misses, stats.stored) == (3, 2), stats  # The path is not in the key.
"""


def context(**values: Any) -> Context:
    return Environment().from_string("").new_context(values)


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})


class Noting(RequestsInContexts):
    """Notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def watch(self, context: Any) -> None:
        self.asked.append("watch")

    def note_variable(self, name: str, value: Any, context: Any) -> None:
        self.asked.append(f"note_variable {name}")


def test_the_first_request_imports_what_knows_of_it() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", LATE], check=True)


@pytest.mark.parametrize(
    ("values", "is_asked"),
    [
        ({}, False),
        ({"request": None}, False),
        ({"request": "text"}, False),
        ({"request": request()}, True),
    ],
    ids=["none", "None", "text", "request"],
)
def test_only_a_known_request_is_asked_about(
    values: dict[str, Any], is_asked: bool
) -> None:
    loaded: list[Noting] = []

    def load() -> Framework:
        loaded.append(Noting())
        return loaded[-1]

    framework = LoadingByContext(load)
    for _ in range(2):
        framework.watch(context(**values))
        framework.watch(None)
        framework.note_variable("user", "Ann", context(**values))
    asked = ["watch", "note_variable user"] * 2
    assert [each.asked for each in loaded] == ([asked] if is_asked else [])


def test_what_needs_a_context_is_not_asked_for_a_request() -> None:
    assert LoadingByContext(RequestsInContexts).request is None


@pytest.mark.parametrize("is_imported", [True, False])
def test_a_framework_is_asked_once_its_module_is_imported(
    monkeypatch: pytest.MonkeyPatch, *, is_imported: bool
) -> None:
    loaded: list[Noting] = []

    def load() -> Framework:
        loaded.append(Noting())
        return loaded[-1]

    framework = LoadingByModule("some.framework", load)
    if is_imported:
        monkeypatch.setitem(sys.modules, "some.framework", sys)
    framework.watch(None)
    framework.note_variable("user", "Ann", context())
    ask = framework.request
    assert ask is not None
    assert ask() is None
    asked = ["watch", "note_variable user"]
    assert [each.asked for each in loaded] == ([asked] if is_imported else [])


def test_what_needs_no_request_is_known_without_one() -> None:
    framework = LoadingByContext(RequestsInContexts)
    assert list(framework.told_by("user.id")) == ["request.user.id"]
    assert framework.apart(blocking=False) is not None
    with pytest.raises(LookupError):
        framework.value_of("user", context())


def test_an_environment_adds_what_loads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Framework] = []
    monkeypatch.setattr(dependencies, "_frameworks", added)
    watch_frameworks()
    watch_frameworks()
    assert added == [loading._CONTEXTS, loading._QUART_REQUESTS]
