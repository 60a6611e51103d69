"""`warm`, on applications in this process and on a real server."""

import json
import sys
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from tests.cli.support import REDIS, here, render, run, site, write

__all__ = ["here", "site"]

pytestmark = pytest.mark.usefixtures("site")
ASGI = """
started = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            started.append(message["type"])
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = dict(scope["headers"])
    status = 200 if headers[b"host"] == b"shop.test" else 404
    assert started == ["lifespan.startup"]
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})

async def no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ab", "more_body": True})
    await send({"type": "http.response.body", "body": b"c"})

async def fails(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
"""


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Provide the address of a server of the site."""
    app = import_module("shop_of_the_test").app
    with make_server("127.0.0.1", 0, app, handler_class=_Quiet) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def test_fragments_of_pages_are_stored() -> None:
    result = run("warm", "/", *REDIS)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0].startswith("/: 200, ")
    summary = "1 page answered, 0 failed; 2 entries were stored."
    assert result.stdout.splitlines()[-1] == summary
    assert render() == 0


def test_a_page_that_fails_is_the_status_1() -> None:
    result = run("warm", "/", "/broken", "/nothing", *REDIS)
    assert result.exit_code == 1
    assert "/broken: answered with the status 500." in result.stderr
    assert "this is why" in result.stderr
    assert "/nothing: answered with the status 404." in result.stderr
    assert "1 page answered, 2 failed" in result.stdout


def test_json_has_the_number_of_entries_that_were_stored() -> None:
    told = json.loads(run("warm", "--json", "/", *REDIS).stdout)
    assert ([page["status"] for page in told["pages"]], told["stored"]) == ([200], 2)


def test_redirects_are_followed_on_the_same_host() -> None:
    pages = ("/old", "/away", "/loop")
    told = json.loads(run("warm", "--json", *pages, *REDIS).stdout)
    told = told["pages"]
    assert [(page["url"], page["status"]) for page in told] == [
        ("/old", 200),
        ("/away", 302),
        ("/loop", 302),
    ]
    assert [page["error"] for page in told] == [
        "",
        "redirects to http://other.test/, which is not followed",
        "redirects more than 10 times",
    ]


def test_a_server_is_asked(server: str) -> None:
    result = run("warm", f"{server}/old", f"{server}/nothing")
    assert result.exit_code == 1
    assert f"{server}/old: 200, " in result.stdout
    assert f"{server}/nothing: answered with the status 404." in result.stderr
    assert render() == 0


def test_a_server_that_does_not_answer_is_told() -> None:
    result = run("warm", "http://127.0.0.1:1/")
    assert result.exit_code == 1
    assert "Connection refused" in result.stderr


def test_an_asgi_application_is_started_called_and_shut_down(here: Path) -> None:
    sys.modules.pop("asgi_of_the_test", None)
    write(here, "asgi_of_the_test.py", ASGI)
    result = run("warm", "http://shop.test/a", "/", "--app", "asgi_of_the_test:app")
    assert "http://shop.test/a: 200, 2 bytes" in result.stdout
    assert "/: answered with the status 404" in result.stderr
    started = sys.modules["asgi_of_the_test"].started
    assert started == ["lifespan.startup", "lifespan.shutdown"]
    result = run("warm", "/", "--app", "asgi_of_the_test:no_lifespan")
    assert "/: 200, 3 bytes" in result.stdout
    result = run("warm", "/", "--app", "asgi_of_the_test:fails")
    assert result.exit_code == 2
    assert "It did not start: no database" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["/"], "Write http://HOST/PATH, or name the application with --app."),
        (["page", *REDIS], "'page' is no path."),
        (["/", "--header", "x", *REDIS], "--header 'x' is not of the form NAME:VALUE"),
        (["/", "--app", "shop_of_the_test:cache"], "is no WSGI or ASGI application"),
        (["/", "--app", "shop_of_the_test:bare"], "has no cache"),
        (["/", "--app", "nothing:app"], "there is no module 'nothing'"),
        (["/", "--timeout", "0", *REDIS], "0.0 is not in the range x>0"),
    ],
)
def test_what_is_wrong_is_told(arguments: list[str], told: str) -> None:
    result = run("warm", *arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.stderr.split())
