"""The cache tag in real frameworks, called by their own test clients."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.template import engines
from django.test import override_settings
from jinja2 import DictLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates
from starlette.testclient import TestClient

from jinja_fragcache import (
    FragmentCache,
    MemoryStore,
    Stats,
    make_template_fragment_key,
    set_fragment_cache,
)
from tests.support import (
    CoroutineStore,
    RecordingStore,
    SharedStore,
    configure_django,
    environment,
)

PAGE = "{% cache 300, 'page', user %}{{ greeting }} {{ user }}{% endcache %}"
USERS = ["ann", "<bob>", "ann"]
EXPECTED = ["hello 0 ann", "hello 1 &lt;bob&gt;", "hello 0 ann"]


def test_starlettes_templates_store_fragments() -> None:
    store = RecordingStore()
    templates = Jinja2Templates(env=environment({"page.html": PAGE}, store))
    served = iter(range(3))

    def page(request: Request) -> Response:
        values = {
            "user": request.query_params["user"],
            "greeting": f"hello {next(served)}",
        }
        return templates.TemplateResponse(request, "page.html", values)

    with TestClient(Starlette(routes=[Route("/", page)])) as client:
        texts = [client.get("/", params={"user": user}).text for user in USERS]
    assert texts == EXPECTED
    assert store.calls == ["get", "set", "get", "set", "get"]


@pytest.mark.parametrize("make", [RecordingStore, CoroutineStore])
def test_starlette_with_an_async_environment_stores_fragments(make: Any) -> None:
    env = environment({"page.html": PAGE}, make(), enable_async=True)
    served = iter(range(3))

    async def page(request: Request) -> Response:
        values = {
            "user": request.query_params["user"],
            "greeting": f"hello {next(served)}",
        }
        return HTMLResponse(await env.get_template("page.html").render_async(values))

    with TestClient(Starlette(routes=[Route("/", page)])) as client:
        texts = [client.get("/", params={"user": user}).text for user in USERS]
    assert texts == EXPECTED


@pytest.mark.parametrize("make", [MemoryStore, SharedStore])
def test_an_endpoint_that_blocks_the_event_loop_waits_for_nobody(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # In the thread of `slow` the body goes on only when the other page is there. Were
    # it waited for on the event loop, nobody could ever answer.
    env = environment({"page.html": "{% cache 300, 'x' %}{{ body() }}{% endcache %}"})
    cache = FragmentCache(make(), lock_timeout=60)
    set_fragment_cache(env, cache)
    templates = Jinja2Templates(env=env)
    has_begun, may_end = threading.Event(), threading.Event()

    def body() -> str:
        has_begun.set()
        assert may_end.wait(60)
        return "slow"

    def slow(request: Request) -> Response:
        return templates.TemplateResponse(request, "page.html", {"body": body})

    async def quick(request: Request) -> Response:
        values = {"body": lambda: "quick"}
        return templates.TemplateResponse(request, "page.html", values)

    routes = [Route("/slow", slow), Route("/quick", quick)]
    with (
        TestClient(Starlette(routes=routes)) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        first = threads.submit(client.get, "/slow")
        assert has_begun.wait(60)
        assert [client.get("/quick").text for _ in range(2)] == ["quick", "quick"]
        may_end.set()
        assert first.result().text == "slow"
        assert client.get("/quick").text == "slow"
    assert cache.stats() == Stats(hits=1, misses=3, stored=1)
    # Others may log, too.
    (record,) = [each for each in caplog.records if each.name == "jinja_fragcache"]
    assert "with `def` in place of `async def`" in record.getMessage()


def django_environment(**options: Any) -> Any:
    """Make the environment, as the settings of a Django project would."""
    options["loader"] = DictLoader({"page.html": PAGE})
    options.pop("extensions", None)
    return environment(store=FragmentCache(caches["default"]), **options)


@pytest.fixture
def django_templates() -> Iterator[None]:
    configure_django()
    backend = {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [Path()],
        "OPTIONS": {"environment": f"{__name__}.django_environment"},
    }
    with override_settings(TEMPLATES=[backend]):
        caches["default"].clear()
        yield


@pytest.mark.usefixtures("django_templates")
def test_djangos_jinja_backend_stores_fragments_in_its_cache() -> None:
    template = engines["jinja2"].get_template("page.html")
    texts = [
        template.render({"user": user, "greeting": f"hello {n}"})
        for n, user in enumerate(USERS)
    ]
    assert texts == EXPECTED
    assert caches["default"].get(make_template_fragment_key("page", ["ann"]))
