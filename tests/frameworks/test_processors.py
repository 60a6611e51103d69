"""What context processors make of a request has to be in the keys of what shows it."""

import asyncio
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, NamedTuple

import flask.templating
import pytest
import quart
import quart.templating
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.test import Client, override_settings
from django.urls import clear_url_caches, path
from fastapi import FastAPI
from fastapi.templating import Jinja2Templates as FastAPITemplates
from jinja2 import DictLoader, Environment
from quart import Quart
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from jinja_fragcache import (
    FragmentCacheExtension,
    UncoveredReadError,
    set_fragment_cache,
)
from jinja_fragcache.engine.dependencies import Dependencies
from jinja_fragcache.engine.noted_reads import note_read
from jinja_fragcache.frameworks import django as of_django
from jinja_fragcache.frameworks import quart as of_quart
from jinja_fragcache.frameworks import starlette as of_starlette
from jinja_fragcache.frameworks.processors import (
    note_given,
    note_not_given,
    reading_apart,
    watch_all,
)
from tests.support import configure_django

from .support import Page, run

configure_django()

Ask = Callable[[str], str]
SITE = {"name": "Shop"}
HELD = object()


def of_query(query: Any) -> dict[str, Any]:
    """Return what the processors of all frameworks give."""
    shown = query["user"]
    return {
        "shown": shown,
        "seldom": None if shown == "ann" else shown,
        "held": HELD,
        "greet": lambda: f"Hello {shown}",
    }


def of_request(request: Any) -> dict[str, Any]:
    query = request.GET if isinstance(request, HttpRequest) else request.query_params
    return {**of_query(query)}


def of_site(request: Any) -> dict[str, Any]:
    query = request.GET if isinstance(request, HttpRequest) else request.query_params
    return {"site": SITE["name"], "member": query["user"], "who": request}


def of_some(request: Any) -> dict[str, Any]:
    query = request.GET if isinstance(request, HttpRequest) else request.query_params
    return {} if query["user"] == "ann" else {"rare": query["user"]}


def starlette(page: Page) -> Ask:
    templates = Jinja2Templates(
        env=page.environment(), context_processors=[of_request, of_some]
    )
    templates.context_processors.append(of_site)

    def view(request: Request) -> Response:
        given = request.query_params.get("given")
        return templates.TemplateResponse(
            request, "page.html", {"own": given} if given else {}
        )

    app = Starlette(routes=[Route("/", view)])
    app.state.held = HELD
    return lambda user: TestClient(app).get(f"/?user={user}").text


def fastapi(page: Page) -> Ask:
    templates = FastAPITemplates(
        env=page.environment(), context_processors=[of_request, of_site, of_some]
    )
    app = FastAPI()
    app.state.held = HELD

    async def view(request: Request) -> Response:
        return templates.TemplateResponse(request, "page.html")

    app.add_route("/", view)
    return lambda user: TestClient(app).get("/", params={"user": user}).text


# The page that the environment of Django's templates has.
current: dict[str, Page] = {}


def django_view(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


async def django_async_view(request: HttpRequest) -> HttpResponse:
    return render(request, "page.html")


def django_environment(**_: Any) -> Environment:
    return current["page"].environment()


urlpatterns = [path("", django_view), path("async", django_async_view)]


def asking_django(page: Page, url: str) -> Ask:
    current["page"] = page
    backend = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "OPTIONS": {
            "environment": f"{__name__}.django_environment",
            "context_processors": [
                f"{__name__}.{each}" for each in ("of_request", "of_site", "of_some")
            ],
        },
    }
    settings = override_settings(
        TEMPLATES=[backend],
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=[],
        HELD=HELD,
    )
    settings.enable()
    clear_url_caches()

    def ask(user: str) -> str:
        return str(Client().get(url, {"user": user}).content, "utf-8")

    ask.undo = settings.disable  # type: ignore[attr-defined]
    return ask


def django(page: Page) -> Ask:
    return asking_django(page, "/")


def django_async(page: Page) -> Ask:
    return asking_django(page, "/async")


def asking_quart(page: Page, *, is_async: bool) -> Ask:
    app = Quart(__name__)
    app.config |= {"PROPAGATE_EXCEPTIONS": True, "HELD": HELD}
    app.jinja_env.add_extension(FragmentCacheExtension)
    app.jinja_env.loader = DictLoader(page.templates)
    set_fragment_cache(app.jinja_env, page.cache)

    def plain() -> dict[str, Any]:
        return {**of_query(quart.request.args)}

    async def awaited() -> dict[str, Any]:
        await asyncio.sleep(0)
        return plain()

    def site() -> dict[str, Any]:
        query = quart.request.args
        return {"site": SITE["name"], "member": query["user"], "who": query}

    def some() -> dict[str, Any]:
        query = quart.request.args
        return {} if query["user"] == "ann" else {"rare": query["user"]}

    app.context_processor(awaited if is_async else plain)
    app.context_processor(some)
    app.context_processor(site)

    @app.get("/")
    async def view() -> str:
        return await quart.render_template("page.html")

    async def ask(user: str) -> str:
        answer = await app.test_client().get(f"/?user={user}")
        return str(await answer.get_data(as_text=True))

    return lambda user: run(ask(user))


def quart_sync(page: Page) -> Ask:
    return asking_quart(page, is_async=False)


def quart_async(page: Page) -> Ask:
    return asking_quart(page, is_async=True)


KEYS = {
    starlette: "request.query_params.user",
    fastapi: "request.query_params.user",
    django: "request.GET.user",
    django_async: "request.GET.user",
    quart_sync: "request.args.user",
    quart_async: "request.args.user",
}


class Framework(NamedTuple):
    """A framework, with its pages.

    Attributes:
        client: Returns what asks for a page.
        key: What a key has of the request.
    """

    client: Callable[[Page], Ask]
    key: str


@pytest.fixture(params=KEYS, ids=lambda make: make.__name__)
def framework(request: pytest.FixtureRequest) -> Framework:
    def client(page: Page) -> Ask:
        ask: Ask = request.param(page)
        if hasattr(ask, "undo"):
            request.addfinalizer(ask.undo)
            request.addfinalizer(current.clear)
        return ask

    return Framework(client, KEYS[request.param])


@pytest.mark.parametrize(
    "body",
    [
        *("{{ shown }}", "{{ greet() }}", "{{ member }}", "{{ seldom }}"),
        *("{{ rare|default('none') }}", "{% if rare %}in{% else %}out{% endif %}"),
    ],
)
def test_a_name_that_a_processor_made_of_the_request_is_noted(
    framework: Framework, body: str
) -> None:
    page = Page(body)
    page.check(framework.client(page), is_cached=False)


@pytest.mark.parametrize("key", ["shown", "request"])
def test_the_name_or_what_the_processor_read_covers_it(
    framework: Framework, key: str
) -> None:
    page = Page("{{ shown }}", framework.key if key == "request" else key)
    page.check(framework.client(page), is_cached=True)


def test_a_name_that_a_template_inside_reads_is_noted(framework: Framework) -> None:
    page = Page("{% include 'shown.html' %}")
    page.templates["shown.html"] = "{{ shown }}"
    page.check(framework.client(page), is_cached=False)


@pytest.mark.parametrize("body", ["{{ site }}", "{{ held }}"])
def test_what_is_the_same_for_all_is_quiet(framework: Framework, body: str) -> None:
    page = Page(body, strict=True)
    ask = framework.client(page)
    assert ask("ann") == ask("bob")
    assert (page.cache.stats().stored, page.cache.stats().hits) == (1, 1)


def test_a_strict_cache_tells_the_name(framework: Framework) -> None:
    page = Page("{{ shown }}", strict=True)
    page.pasted(framework.client(page))
    with pytest.raises(UncoveredReadError, match=r'reads shown .*"n", shown %'):
        framework.client(page)("bob")


def test_processors_of_starlette_may_be_a_tuple() -> None:
    page = Page("{{ shown }}", strict=True)
    processors: Any = (of_request,)
    templates = Jinja2Templates(env=page.environment(), context_processors=processors)
    request = Request({"type": "http", "query_string": b"user=ann", "headers": []})
    with pytest.raises(UncoveredReadError, match="reads shown"):
        templates.TemplateResponse(request, "page.html")


def test_a_name_that_the_view_gives_itself_is_not_the_processor_s() -> None:
    page = Page("{{ own }}", strict=True)
    ask = starlette(page)
    assert ask("ann&given=all") == ask("bob&given=all")


def test_what_ran_before_starlette_was_watched_is_not_stored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = Page("{{ shown }}")
    ask = starlette(page)
    # As where an environment is made before Starlette is imported.
    watched: Any = Jinja2Templates.TemplateResponse
    monkeypatch.setattr(Jinja2Templates, "TemplateResponse", watched.__wrapped__)
    page.check(ask, is_cached=False)


def test_processors_of_an_environment_without_the_tag_are_left_alone() -> None:
    page = Page("")
    starlette(page)
    env = Environment(loader=DictLoader({"plain.html": "{{ shown }}"}), autoescape=True)
    templates = Jinja2Templates(env=env, context_processors=[of_request])
    request = Request({"type": "http", "query_string": b"user=ann", "headers": []})
    answer = templates.TemplateResponse(request, "plain.html")
    assert (answer.body, templates.context_processors) == (b"ann", [of_request])


def giving_user(value: Any) -> dict[str, Any]:
    note_read("user", value)
    return {"name": value}


def test_processors_are_watched_once_and_later_ones_too() -> None:
    fields: dict[str, Any] = {}
    processors: list[Any] = [giving_user]
    watch_all(processors, lambda _: fields)
    first = list(processors)
    processors.append(giving_user)
    watch_all(processors, lambda _: fields)
    assert processors[0] is first[0]
    assert processors[1] is not giving_user


@pytest.mark.parametrize(
    ("watch_processors", "module"),
    [
        (of_django.watch_processors, "django.template.backends.jinja2"),
        (of_quart.watch_processors, "quart.app"),
        (of_starlette.watch_processors, "starlette.templating"),
    ],
)
def test_a_framework_that_is_being_imported_is_watched_later(
    watch_processors: Callable[[], bool], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert not watch_processors()


@pytest.mark.parametrize("module", [flask.templating, quart.templating])
def test_a_framework_s_own_processor_is_left_alone_but_not_what_wraps_it(
    module: Any,
) -> None:
    own = module._default_template_ctx_processor

    @wraps(own)
    def wrapping() -> dict[str, Any]:
        return giving_user("Ann")

    processors: list[Any] = [own, wrapping]
    watch_all(processors, dict)
    assert processors[0] is own
    assert processors[1] is not wrapping


@pytest.mark.parametrize("given", [None, [("name", 1)]])
def test_what_is_no_mapping_passes_through(given: Any) -> None:
    fields: dict[str, Any] = {}

    def processor() -> Any:
        note_read("user", 1)
        return given

    processors: list[Any] = [processor]
    watch_all(processors, lambda: fields)
    assert processors[0]() is given
    assert fields == {}


def test_what_a_processor_read_belongs_to_its_names_alone() -> None:
    fields: dict[str, Any] = {}
    processors: list[Any] = [giving_user]
    watch_all(processors, lambda _: fields)
    with Dependencies() as body:
        given = processors[0]("Ann Lee")
        assert not body.reads
        assert not note_given(fields, "name", "Bob", None)
        assert note_given(fields, "name", given["name"], None)
    assert [each.name for each in body.reads["name"].parts] == ["user"]


def test_tags_that_a_processor_uses_belong_to_the_body_around() -> None:
    with Dependencies() as body:
        with reading_apart() as apart:
            apart.include({"posts": "1"}, 7.0, {"a.html": "digest"})
        assert (body.tags, body.expires) == ({"posts": "1"}, 7.0)
        assert body.templates == {"a.html": "digest"}


def test_a_name_that_a_processor_once_gave_is_noted_where_it_gives_it_not() -> None:
    given = {"a": 1}

    def processor() -> dict[str, int]:
        note_read("session.user", 1)
        return {**given}

    fields: dict[str, Any] = {}
    processors: list[Any] = [processor]
    watch_all(processors, lambda: fields)
    processors[0]()
    fields.clear()
    given.clear()
    processors[0]()
    with Dependencies() as body:
        note_not_given(fields, "a")
        note_not_given(fields, "b")
    assert [*body.reads] == ["a"]
