from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.release.outside_links import addresses, problem_of


class ByPath(BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.removeprefix("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), ByPath) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [200, 403, 429])
def test_a_page_that_is_there_is_no_problem(site: str, status: int) -> None:
    assert problem_of(f"{site}/{status}") is None


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_page_that_is_gone_is_named_with_its_status(site: str, status: int) -> None:
    assert str(status) in str(problem_of(f"{site}/{status}"))


def test_a_host_that_does_not_answer_is_a_problem() -> None:
    assert "refused" in str(problem_of("http://127.0.0.1:1/"))


def test_each_address_is_found_once_with_its_pages(tmp_path: Path) -> None:
    texts = {
        "a.md": "[a](https://a.test/x#y) ![b](http://b.test/c.png)\n",
        "b.md": "[a](https://a.test/x) [d](docs/d.md)\n```\n[e](https://e.test)\n```\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, "utf-8")
    found = addresses(sorted(tmp_path.iterdir()))
    assert found == {
        "https://a.test/x": {"a.md", "b.md"},
        "http://b.test/c.png": {"a.md"},
    }
