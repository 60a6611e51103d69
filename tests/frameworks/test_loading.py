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

LATE_QUART = """
import asyncio, sys
from jinja2 import Environment
from jinja_fragcache import FragmentCacheExtension

env = Environment(extensions=[FragmentCacheExtension])
page = env.from_string("{% cache 60, 'a', b %}{{ request.args.q }}{% endcache %}")
assert page.render(b=1, request={"args": {}}) == ""
assert "jinja_fragcache.frameworks.quart" not in sys.modules
from quart import Quart, request
app = Quart("late")

async def visit(q):
    async with app.test_request_context(f"/?q={q}"):
        return page.render(b=2, request=request)

assert [asyncio.run(visit(q)) for q in "xy"] == ["x", "y"]
stats = env.fragment_cache.stats()
assert (stats.hits, stats.stored) == (0, 1), stats  # `q` is not in the key.
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


@pytest.mark.parametrize("program", [LATE, LATE_QUART], ids=["starlette", "quart"])
def test_the_first_request_imports_what_knows_of_it(program: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


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


def test_what_needs_no_request_is_known_without_one() -> None:
    framework = LoadingByContext(RequestsInContexts)
    assert list(framework.told_by("user.id")) == ["request.user.id"]
    assert framework.apart(blocking=False) is not None
    with pytest.raises(LookupError):
        framework.value_of("user", context())


def test_an_environment_adds_what_loads_once(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Framework] = []
    monkeypatch.setattr(dependencies, "_frameworks", added)
    monkeypatch.setattr(dependencies, "_expected", set())
    monkeypatch.setattr(dependencies, "_coming", ())
    watch_frameworks()
    watch_frameworks()
    assert added == [loading._CONTEXTS]
    assert dependencies._coming == (("quart.globals", loading._load_quart),)
