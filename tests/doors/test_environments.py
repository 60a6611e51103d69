"""`set_fragment_cache` is the door to frameworks that hand out their environment."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp_jinja2
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient as AiohttpClient
from aiohttp.test_utils import TestServer
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from fastapi.templating import Jinja2Templates
from flask import Flask
from flask_admin import Admin, BaseView, expose
from flask_babel import Babel
from jinja2 import DictLoader
from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.response import Template
from litestar.template import TemplateConfig
from litestar.testing import TestClient as LitestarClient
from sanic import Sanic
from sanic_ext import Extend
from sanic_ext import render as sanic_render
from starlette.responses import Response
from starlette.testclient import TestClient

from jinja_fragcache import (
    Cache,
    FragmentCache,
    fragment_cache_of,
    set_fragment_cache,
)

from .support import (
    COUNTED,
    EXPECTED,
    PAGE,
    USERS,
    Views,
    loader,
    plain_environment,
)


def fastapi_client(app: FastAPI) -> list[str]:
    with TestClient(app) as client:
        return [client.get("/", params={"user": user}).text for user in USERS]


def test_fastapis_templates_cache_in_functions_that_run_in_threads(
    tmp_path: Path,
) -> None:
    (tmp_path / "page.html").write_text(PAGE, encoding="utf-8")
    templates = Jinja2Templates(tmp_path)
    cache = set_fragment_cache(templates.env, FragmentCache())
    app, views = FastAPI(), Views()

    @app.get("/")
    def page(request: Request, user: str) -> Response:
        return templates.TemplateResponse(request, "page.html", views.values(user))

    assert fastapi_client(app) == EXPECTED
    assert cache.stats() == COUNTED


def test_fastapis_coroutine_functions_await_an_async_environment() -> None:
    templates = Jinja2Templates(env=plain_environment(enable_async=True))
    cache = set_fragment_cache(templates.env, FragmentCache())
    app, views = FastAPI(), Views()

    @app.get("/")
    async def page(user: str) -> Response:
        template = templates.get_template("page.html")
        return HTMLResponse(await template.render_async(views.values(user)))

    assert fastapi_client(app) == EXPECTED
    assert cache.stats() == COUNTED


def test_litestars_templates_cache() -> None:
    env, views = plain_environment(), Views()
    cache = set_fragment_cache(env, FragmentCache())

    @get("/", sync_to_thread=True)
    def page(request: LitestarRequest[Any, Any, Any]) -> Template:
        values = views.values(request.query_params["user"])
        return Template("page.html", context=values)

    engine = JinjaTemplateEngine.from_environment(env)
    config = TemplateConfig(instance=engine)
    # By default, it changes the level of the root logger, for all later tests.
    app = Litestar([page], template_config=config, logging_config=None)
    with LitestarClient(app) as client:
        texts = [client.get("/", params={"user": user}).text for user in USERS]
    assert texts == EXPECTED
    assert cache.stats() == COUNTED


@pytest.mark.parametrize("enable_async", [False, True])
def test_aiohttps_templates_cache(*, enable_async: bool) -> None:
    app, views = web.Application(), Views()
    env = aiohttp_jinja2.setup(app, loader=loader(), enable_async=enable_async)
    cache = set_fragment_cache(env, FragmentCache())

    async def page(request: web.Request) -> web.Response:
        values = views.values(request.query["user"])
        if enable_async:
            render = aiohttp_jinja2.render_template_async
            return await render("page.html", request, values)
        return aiohttp_jinja2.render_template("page.html", request, values)

    app.router.add_get("/", page)

    async def ask() -> list[str]:
        async with AiohttpClient(TestServer(app)) as client:
            return [
                await (await client.get("/", params={"user": user})).text()
                for user in USERS
            ]

    assert asyncio.run(ask()) == EXPECTED
    assert cache.stats() == COUNTED


@pytest.fixture
def sanic_app() -> Sanic[Any, Any]:
    Sanic.test_mode = True
    app = Sanic("fragments", configure_logging=False)
    logging.getLogger("sanic.root").setLevel(logging.ERROR)
    Extend(app)
    return app


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_sanics_templates_cache(sanic_app: Sanic[Any, Any]) -> None:
    env, views = sanic_app.ext.environment, Views()
    env.loader = loader()
    cache = set_fragment_cache(env, FragmentCache())

    @sanic_app.get("/")
    async def page(request: object) -> object:
        user = request.args.get("user")  # type: ignore[attr-defined]
        return await sanic_render("page.html", context=views.values(user))

    async def ask() -> list[str]:
        texts = []
        for user in USERS:
            _, answer = await sanic_app.asgi_client.get("/", params={"user": user})
            texts.append(answer.text)
        return texts

    assert asyncio.run(ask()) == EXPECTED
    assert cache.stats() == COUNTED


class Report(BaseView):  # type: ignore[misc]
    """A page of Flask-Admin's."""

    views = Views()

    @expose("/")  # type: ignore[untyped-decorator]
    def index(self, **_: object) -> Any:
        return self.render("report.html", **self.views.values("ann"))


def test_flask_admins_pages_need_nothing_more_than_flasks() -> None:
    app = Flask(__name__)
    report = "{% extends 'admin/master.html' %}{% block body %}" + PAGE
    app.jinja_loader = DictLoader({"report.html": report + "{% endblock %}"})
    cache = Cache(app, config={"CACHE_TYPE": "simple"})
    Babel(app)  # Flask-Admin uses it where it is installed.
    Admin(app, name="shop").add_view(Report(name="Report", endpoint="report"))
    client = app.test_client()
    texts = [client.get("/admin/report/").text for _ in range(2)]
    assert all("hello 1 ann" in text and "shop" in text for text in texts)
    assert cache.stats().hits == 1


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Jinja2Templates(env=plain_environment()), r"that\.env\b"),
        (lambda: Flask(__name__), r"that\.jinja_env\b"),
        (FragmentCache, "jinja2.Environment comes first"),
    ],
)
def test_what_is_no_environment_is_refused_and_told_where_it_is(
    make: Callable[[], object], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        set_fragment_cache(make(), FragmentCache())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=told):
        fragment_cache_of(make())  # type: ignore[arg-type]


def test_an_environment_keeps_its_extension_and_gets_another_cache() -> None:
    env = plain_environment()
    first = set_fragment_cache(env, FragmentCache())
    extensions = dict(env.extensions)
    second = set_fragment_cache(env, FragmentCache())
    assert env.extensions == extensions
    env.get_template("page.html").render(Views().values("ann"))
    assert (first.stats().stored, second.stats().stored) == (0, 1)
