"""`doors.django`, in Django's Jinja2 back end."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.middleware.csrf import get_token
from django.template import engines
from django.test import RequestFactory, override_settings
from jinja2 import Environment

from jinja_fragcache import (
    FragmentCache,
    FragmentTagError,
    SettingError,
    fragment_cache_of,
    set_fragment_cache,
)
from jinja_fragcache.doors.django import environment, fragment_cache
from tests.support import configure_django

from .support import COUNTED, EXPECTED, USERS, Views, loader

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
OURS = "jinja_fragcache.doors.django.environment"


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    configure_django()
    backend = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "OPTIONS": {"environment": OURS, "loader": loader()},
    }
    caches_used = {
        "default": {"BACKEND": LOCAL, "LOCATION": "doors"},
        "pages": {"BACKEND": LOCAL, "LOCATION": "pages"},
    }
    with override_settings(TEMPLATES=[backend], CACHES=caches_used):
        for each in caches.all(initialized_only=False):
            each.clear()
        yield


def render(user: str, views: Views, **more: Any) -> str:
    template = engines["jinja2"].get_template("page.html")
    return str(template.render({**views.values(user), **more}))


def test_the_environment_function_keeps_fragments_in_djangos_cache() -> None:
    views = Views()
    assert [render(user, views) for user in USERS] == EXPECTED
    cache = fragment_cache_of(engines["jinja2"].env)
    assert cache.stats() == COUNTED
    assert caches["default"].get(cache.key_for("page", ["ann"])) == "hello 1 ann"
    cache.delete_fragment("page", ["ann"])
    assert render("ann", views) == "hello 3 ann"


def test_the_setting_names_another_cache_and_rules() -> None:
    with override_settings(FRAGMENT_CACHE={"using": "pages", "stale": 60}):
        cache = fragment_cache()
        assert fragment_cache(using="default", stale=5).policy.stale == 5
    assert cache.policy.stale == 60
    env = Environment(loader=loader(), autoescape=True)
    set_fragment_cache(env, cache)
    env.get_template("page.html").render(Views().values("ann"))
    assert caches["pages"].get(cache.key_for("page", ["ann"]))
    assert not caches["default"].get(cache.key_for("page", ["ann"]))


@pytest.mark.parametrize(
    "given", ["pages", {"stael": 5}, {"stale": "5"}, {"store": None}]
)
def test_a_wrong_setting_is_told_with_an_example(given: Any) -> None:
    with (
        override_settings(FRAGMENT_CACHE=given),
        pytest.raises(SettingError, match=r'FRAGMENT_CACHE.*FRAGMENT_CACHE = {"'),
    ):
        fragment_cache()


def test_a_cache_that_django_does_not_have_is_told_at_once() -> None:
    for wrong in ("nowhere", 5, ["pages"]):
        with pytest.raises(SettingError, match=r"CACHES has 'default' and 'pages'\."):
            fragment_cache(using=wrong)


def test_a_name_that_is_nearly_an_option_is_told_beside_it() -> None:
    for wrong in ("usng", "USING"):
        with pytest.raises(SettingError, match=rf"no '{wrong}'\. Did you mean using"):
            fragment_cache(**{wrong: "pages"})
    with pytest.raises(SettingError, match=r"no 'stael'\. Did you mean stale"):
        fragment_cache(stael=5)


@pytest.mark.parametrize("debug", [False, True])
def test_in_debug_it_is_strict_and_edited_templates_are_rendered_again(
    *, debug: bool
) -> None:
    with override_settings(DEBUG=debug):
        env = environment(loader=loader(), autoescape=True)
    cache: FragmentCache = fragment_cache_of(env)
    assert cache.policy.template_digest is debug
    refused = env.from_string("{% cache 5, 'x', nothing %}a{% endcache %}")
    if debug:
        with pytest.raises(FragmentTagError, match="undefined"):
            refused.render()
    else:
        assert refused.render() == "a"


def test_a_token_in_a_hole_is_each_requests_own() -> None:
    form = "{% cache 60, 'form' %}{{ made() }} {% nocache %}{{ csrf_input }}"
    engines["jinja2"].env.loader.mapping["page.html"] = (
        f"{form}{{% endnocache %}}{{% endcache %}}"
    )
    views, texts = Views(), []
    template = engines["jinja2"].get_template("page.html")
    for _ in range(2):
        request = RequestFactory().get("/")
        get_token(request)
        texts.append(template.render(views.values("ann"), request))
        assert 'name="csrfmiddlewaretoken"' in texts[-1]
    assert texts[0] != texts[1]
    assert views.made.calls == 1


def test_a_preview_of_wagtails_is_neither_stored_nor_served() -> None:
    body = "{% cache 60, 'body', unless=request.is_preview %}{{ made() }}{% endcache %}"
    engines["jinja2"].env.loader.mapping["page.html"] = body
    views = Views()
    template = engines["jinja2"].get_template("page.html")

    def ask(*, is_preview: bool) -> str:
        request = RequestFactory().get("/")
        request.is_preview = is_preview  # As Wagtail's serve_preview does.
        return str(template.render(views.values("ann"), request))

    asked = [ask(is_preview=each) for each in (True, False, True, False)]
    assert asked == ["1", "2", "3", "2"]


class ThreadsCache(LocMemCache):  # type: ignore[misc]
    """A cache that must not be used by two threads, as some clients."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.thread = threading.get_ident()

    def get_many(self, keys: Any, version: Any = None) -> Any:
        assert self.thread == threading.get_ident()
        return super().get_many(keys, version)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        assert self.thread == threading.get_ident()
        return super().get(key, default, version)


def test_each_thread_uses_its_own_connection_of_django() -> None:
    backend = f"{__name__}.ThreadsCache"
    own = {"BACKEND": backend, "LOCATION": "threads"}
    with override_settings(CACHES={"default": own}):
        env = environment(loader=loader(), autoescape=True)
        views = Views()
        template = env.get_template("page.html")

        def ask() -> None:
            template.render(views.values("ann"))

        ask()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(20)
    stats = fragment_cache_of(env).stats()
    assert (stats.hits, stats.failures) == (1, 0)
