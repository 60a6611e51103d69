"""What the tests of commands share: they run them, in a folder of their own."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner, Result

from jinja_fragcache.cli.commands import commands

#: The options that name the application on Redis.
REDIS = ("--app", "shop_of_the_test:app")
SITE = """
from flask import Flask, redirect, render_template, request
from jinja2 import Environment, FileSystemLoader
from jinja_fragcache import Cache, FragmentCache, FragmentCacheExtension
from jinja_fragcache.stores import FileStore, RedisStore

class Own:
    def get(self, key): return None
    def set(self, key, value, timeout=None): pass
    def delete(self, key): pass

class Awaited:
    async def get(self, key): return None
    async def set(self, key, value, timeout=None): pass
    async def delete(self, key): pass

def make(store=None):
    env = Environment(
        loader=FileSystemLoader("templates"), extensions=[FragmentCacheExtension]
    )
    if store is not None:
        env.fragment_cache = FragmentCache(store)
    return env

varied = make()
varied.fragment_cache = FragmentCache(FileStore("varied"), vary_on=lambda: ["en"])
failing = make()
failing.fragment_cache = FragmentCache(FileStore("failing"), vary_on=lambda: [request.x])
sealed = FragmentCache(FileStore("sealed"), signing_key="k", compression="zlib")
sealed_env = make()
sealed_env.fragment_cache = sealed
memory, own, awaited = make(), make(Own()), make(Awaited())
files = make(FileStore("entries"))
down = make(RedisStore("127.0.0.1", 1, key_prefix="site_"))
plain = Environment()
bare, app = Flask("bare"), Flask(__name__)
cache = Cache(app, config={
    "CACHE_TYPE": "redis", "CACHE_REDIS_PORT": %d, "CACHE_KEY_PREFIX": "site_"
})
app.add_url_rule("/", "home", lambda: render_template("page.html", ids=[7]))
app.add_url_rule("/old", "old", lambda: redirect("/"))
app.add_url_rule("/away", "away", lambda: redirect("http://other.test/"))
app.add_url_rule("/loop", "loop", lambda: redirect("/loop"))

@app.get("/broken")
def broken():
    request.environ["wsgi.errors"].write("this is why")
    return "", 500
"""
PAGE = """
{%- for id in ids %}{% cache 300, "row", id, tags=["rows"] -%}
<b>{{ id }}</b>{% nocache %}{{ ids }}{% endnocache %}
{%- endcache %}{% endfor %}
{%- cache 0, "foot" %}foot{% endcache %}"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide the folder in which the commands run, with an empty folder templates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "templates").mkdir()
    return tmp_path


@pytest.fixture
def site(
    here: Path, redis_port: int, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Write a module with applications and environments, and a template."""
    monkeypatch.syspath_prepend(here)
    sys.modules.pop("shop_of_the_test", None)
    write(here, "shop_of_the_test.py", SITE % redis_port)
    write(here, "templates/page.html", PAGE)
    yield
    module = import_module("shop_of_the_test")
    with module.app.app_context():
        module.cache.clear()
    sys.modules.pop("shop_of_the_test", None)


def render(*ids: object, env: str = "") -> int:
    """Render the page of the site, and return how many entries that has stored."""
    module = import_module("shop_of_the_test")
    app = module.app
    environment = getattr(module, env) if env else app.jinja_env
    with app.app_context():
        before: int = environment.fragment_cache.stats().stored
        environment.get_template("page.html").render(ids=ids or (7,))
        stored: int = environment.fragment_cache.stats().stored
    return stored - before


def write(here: Path, name: str, text: str) -> None:
    """Write a file into the folder."""
    (here / name).write_text(dedent(text), "utf-8")


def run(*arguments: str, **options: Any) -> Result:
    """Run a command of jinja-fragcache."""
    result = CliRunner().invoke(commands, arguments, **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result
