"""The ways to write a cached fragment that are compared, each with its own template.

A fragment has a name and a key value, and prints `html`. In templates, `NUMBER` stands
for the number of the fragment.
"""

from collections.abc import Callable
from typing import Any

import cashews
import flask_caching
from django.conf import settings
from django.core.cache import caches
from django.template import Context, Engine
from dogpile.cache import make_region
from flask import Flask
from jinja2 import Environment

from jinja_fragcache import FragmentCache, FragmentCacheExtension, set_fragment_cache

FRAGMENTS = 50
TIMEOUT = 300
FLOOR = "{{ html }}"
CACHE = '{% cache 300, "row", ids[NUMBER] %}{{ html }}{% endcache %}'
CONSTANT = '{% cache 300, "row-NUMBER" %}{{ html }}{% endcache %}'
#: For what has no tag for Jinja: `cached` is what a user of it would write.
CALL = '{% call cached("row", ids[NUMBER]) %}{{ html }}{% endcall %}'
DJANGO_CACHE = "{% cache 300 row ids.NUMBER using=store %}{{ html }}{% endcache %}"
_DJANGO_CACHES = "django.core.cache.backends"
#: The arguments of `render`.
Values = dict[str, Any]
Render = Callable[[], str]


def page_source(fragment: str, fragments: int = FRAGMENTS) -> str:
    """Return the source of a page with a number of fragments."""
    return "".join(fragment.replace("NUMBER", str(each)) for each in range(fragments))


def jinja(*, autoescape: bool = True, **options: Any) -> Environment:
    """Return an environment without this package: the floor."""
    return Environment(autoescape=autoescape, **options)  # noqa: S701 - as asked for


def ours(
    store: Any = None,
    *,
    autoescape: bool = True,
    enable_async: bool = False,
    **options: Any,
) -> Environment:
    """Return an environment with this package's tags.

    Args:
        store: The store, by default a `MemoryStore`.
        autoescape: Whether autoescape is on.
        enable_async: Whether it awaits.
        options: Arguments for the `FragmentCache`.
    """
    env = jinja(
        autoescape=autoescape,
        enable_async=enable_async,
        extensions=[FragmentCacheExtension],
    )
    set_fragment_cache(env, FragmentCache(store, **options))
    return env


def flask_caching_app(**config: Any) -> tuple[Flask, flask_caching.Cache]:
    """Return an application with Flask-Caching, by default in memory."""
    app = Flask(__name__)
    cache = flask_caching.Cache(app, config={"CACHE_TYPE": "SimpleCache", **config})
    return app, cache


def flask_caching_env(*, autoescape: bool = True, **config: Any) -> Environment:
    """Return an environment with Flask-Caching's tag.

    Args:
        autoescape: Whether autoescape is on.
        config: Flask-Caching's settings.
    """
    env = flask_caching_app(**config)[0].jinja_env
    env.autoescape = autoescape
    return env


def dogpile(backend: str = "dogpile.cache.memory", **arguments: Any) -> Environment:
    """Return an environment whose `cached` is one call of dogpile.cache's.

    Args:
        backend: The name of the back end.
        arguments: Those of the back end.
    """
    region = make_region().configure(
        backend, expiration_time=TIMEOUT, arguments=arguments
    )

    def cached(name: str, value: str, caller: Callable[[], str]) -> Any:
        return region.get_or_create(f"{name}:{value}", caller)

    env = jinja()
    env.globals["cached"] = cached
    return env


def cashews_env() -> Environment:
    """Return an environment whose `cached` awaits cashews, in memory."""
    cache = cashews.Cache()
    cache.setup("mem://", size=10_000)

    async def cached(name: str, value: str, caller: Callable[[], Any]) -> Any:
        key = f"{name}:{value}"
        text = await cache.get(key)
        if text is None:
            text = await caller()
            await cache.set(key, text, expire=TIMEOUT)
        return text

    env = jinja(enable_async=True)
    env.globals["cached"] = cached
    return env


def django_page(source: str, values: Values, redis_port: int | None = None) -> Render:
    """Return the renderer of a page in Django's template language.

    Args:
        source: The source, which may use the cache tag with `using=store`.
        values: The variables of the page.
        redis_port: The port of the server; None for Django's cache in memory.
    """
    if not settings.configured:
        local = {"BACKEND": f"{_DJANGO_CACHES}.locmem.LocMemCache"}
        settings.configure(CACHES={"default": local}, USE_TZ=True)
    store = "default"
    if redis_port is not None:
        store = f"redis-{redis_port}"
        caches.settings[store] = {
            **caches.settings["default"],
            "BACKEND": f"{_DJANGO_CACHES}.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{redis_port}",
        }
    engine = Engine(libraries={"cache": "django.templatetags.cache"})
    template = engine.from_string("{% load cache %}" + source)
    context = Context({**values, "store": store})
    return lambda: str(template.render(context))


def jinja_page(env: Environment, source: str, values: Values) -> Render:
    """Return the renderer of a page."""
    template = env.from_string(source)
    return lambda: template.render(values)


def fill_and_compare(pages: dict[str, Render], expected: str) -> None:
    """Render each page twice, to fill its cache, and compare the second text.

    Raises:
        SystemExit: If a page is another one than expected.
    """
    for name, render in pages.items():
        render()
        if render().replace("\n\n", "\n").strip() != expected.strip():
            raise SystemExit(f"{name} renders another page")
