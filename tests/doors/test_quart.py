"""`QuartCache`, in Quart applications."""

import asyncio
from typing import Any

import pytest
from flask import Flask
from quart import Quart, render_template, request

from jinja_fragcache import Cache, FragmentCache, SettingError
from jinja_fragcache.doors.quart import QuartCache, _why_missing
from tests.support import Counter

from .support import COUNTED, EXPECTED, USERS, Views, loader


def quart_app(**config: Any) -> Quart:
    app = Quart(__name__)
    app.config.from_mapping(CACHE_TYPE="simple", **config)
    app.jinja_env.loader = loader()
    return app


@pytest.mark.parametrize("is_late", [False, True])
def test_quarts_templates_cache(*, is_late: bool) -> None:
    app, views = quart_app(), Views()
    cache = QuartCache() if is_late else QuartCache(app)
    if is_late:
        cache.init_app(app)

    @app.get("/")
    async def page() -> str:
        return await render_template("page.html", **views.values(request.args["user"]))

    async def ask() -> list[str]:
        client = app.test_client()
        texts = []
        for user in USERS:
            answer = await client.get("/", query_string={"user": user})
            texts.append(await answer.get_data(as_text=True))
        return texts

    assert asyncio.run(ask()) == EXPECTED
    assert cache.fragment_cache.stats() == COUNTED


def test_coroutine_functions_are_memoized_in_the_current_application() -> None:
    cache, calls = QuartCache(), Counter()
    apps = [quart_app(), quart_app()]
    for app in apps:
        cache.init_app(app)

    @cache.memoize(60)
    async def number() -> int:
        return calls()

    async def ask() -> list[int]:
        found = []
        for app in [*apps, *apps]:
            async with app.app_context():
                found.append(await number())
        async with apps[0].app_context():
            await cache.delete_memoized_async(number)
            found.append(await number())
        return found

    assert asyncio.run(ask()) == [1, 2, 1, 2, 3]


def test_an_application_that_was_not_set_up_is_told() -> None:
    cache = QuartCache()
    with pytest.raises(SettingError, match="no current application"):
        cache.fragment_cache.stats()

    async def ask() -> None:
        async with quart_app().app_context():
            cache.fragment_cache.stats()

    with pytest.raises(SettingError, match=r"cache.init_app\(app\)"):
        asyncio.run(ask())


def test_each_extension_names_the_other_for_the_others_application() -> None:
    quarts: Any = quart_app()
    with pytest.raises(SettingError, match=r"QuartCache\(app\).*doors.quart"):
        Cache(quarts)
    flasks: Any = Flask(__name__)
    with pytest.raises(SettingError, match=r"jinja_fragcache.Cache\(app\)"):
        QuartCache(flasks)


@pytest.mark.parametrize(
    "settings",
    [{"CACHE_INSPECTOR": True}, {"CACHE_INSPECTOR_ALLOW": lambda: True}],
)
def test_the_inspector_of_flask_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=r"asgi_app\(cache.fragment_cache"):
        QuartCache(quart_app(**settings))


def test_it_is_strict_in_debug_and_testing_mode_and_off_in_tests() -> None:
    app = quart_app(TESTING=True)
    cache = QuartCache(app)
    assert type(cache.fragment_cache.store).__name__ == "NullCache"
    app = quart_app()
    cache = QuartCache(app)
    app.debug = True
    app.jinja_env.loader.mapping["page.html"] = "{% cache 5, 'x', no %}{% endcache %}"  # type: ignore[union-attr]

    async def ask() -> str:
        async with app.test_request_context("/"):
            return await render_template("page.html")

    with pytest.raises(Exception, match="undefined"):
        asyncio.run(ask())
    assert cache.fragment_cache.policy.template_digest


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("cached", r"@cache.memoize\(60\) .* the text of the page"),
        ("set", r"@cache.memoize\(60\) .* makes the value"),
        ("delete_fragment", r"cache.fragment_cache.delete_fragment_async\(\)"),
        ("key_for", r"cache.fragment_cache.key_for\(\)"),
        ("other", "no attribute 'other'"),
    ],
)
def test_what_only_flasks_extension_has_says_what_to_write(
    name: str, instead: str
) -> None:
    assert not hasattr(QuartCache(), name)
    with pytest.raises(AttributeError, match=instead):
        getattr(QuartCache(), name)


def test_what_is_named_in_place_of_flasks_methods_is_there() -> None:
    of_flask = {name for name in dir(Cache) if not name.startswith("_")}
    missing = of_flask - set(dir(QuartCache))
    told = {name for name in missing if "no attribute" not in _why_missing(name)}
    assert missing - told == {"app", "delete_memoized_verhash", "unlink"}
    named = {name for name in told if "fragment_cache" in _why_missing(name)}
    assert named <= set(dir(FragmentCache))


def test_a_memoized_page_is_rendered_once_for_each_argument() -> None:
    app, views = quart_app(), Views()
    cache = QuartCache(app)

    @cache.memoize(60)
    async def page(user: str) -> str:
        return await render_template("shown.html", **views.values(user))

    @app.get("/")
    async def view() -> tuple[str, int]:
        return await page(request.args["user"]), 203

    app.jinja_env.loader.mapping["shown.html"] = "{{ made() }} {{ user }}"  # type: ignore[union-attr]

    async def ask(user: str) -> tuple[str, int]:
        answer = await app.test_client().get("/", query_string={"user": user})
        return str(await answer.get_data(as_text=True)), answer.status_code

    asked = [asyncio.run(ask(user)) for user in USERS]
    assert asked == [("1 ann", 203), ("2 &lt;bob&gt;", 203), ("1 ann", 203)]


def test_a_wrong_setting_is_told() -> None:
    with pytest.raises(SettingError, match="CACHE_JITTER"):
        QuartCache(quart_app(CACHE_JITTER=7))
