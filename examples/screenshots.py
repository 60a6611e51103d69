"""Takes the pictures of the documentation: the overlay, the inspector and the log.

Run it with `make screenshots`. It shows the site of `stdlib_docs.py` in a Chromium.
"""

import html
import logging
import sys
import time
from itertools import count
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient
from stdlib_docs import INSPECTOR, create_app

# The tests know how to run a browser and a server.
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.browser import chromium, reset, serving, set_size
from tests.browser_pages import Overlay

WIDTH, HEIGHT = 1000, 640
SHOWN = "/modules/sched"
VISITS = ("/", "/modules/json", "/modules/email", "/modules/queue", "/search?q=json")
TERMINAL = """<!doctype html><meta charset="utf-8"><title>Log</title>
<style>
  body {{ margin: 0; padding: 16px 20px; background: #1b1f24; }}
  pre {{ margin: 0; color: #d8dee9; font: 14px/22px monospace; }}
</style><pre>{}</pre>"""


class Lines(logging.Handler):
    """Keeps the lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(record.getMessage())


def make_site() -> Flask:
    """Make the site as `flask run --debug` does."""
    settings = {"CACHE_DEBUG_COMMENTS": True, "CACHE_DEBUG_OVERLAY": True}
    return create_app(settings)


def read_log(app: Flask) -> list[str]:
    """Return what the log says while a page is rendered, cold and warm."""
    kept, log = Lines(), logging.getLogger("jinja_fragcache")
    level = log.level
    log.addHandler(kept)
    log.setLevel(logging.DEBUG)
    try:
        client = app.test_client()
        for path in ("/modules/wave", "/modules/wave", "/modules/wave?preview=1"):
            client.get(path)
    finally:
        log.setLevel(level)
        log.removeHandler(kept)
    return kept.lines


def visit_for(seconds: float, client: FlaskClient) -> None:
    """Visit pages, of which each is shown a few times before the next one."""
    began, names = time.monotonic(), iter(("wave", "shelve", "cmd", "uuid", "glob"))
    name = next(names)
    for visits in count(1):
        if time.monotonic() > began + seconds:
            return
        name = next(names, name) if visits % 12 == 0 else name
        client.get(f"/modules/{name}")
        time.sleep(0.2)


def take(folder: Path, seconds: float = 20) -> None:
    """Take all pictures.

    Args:
        folder: Where to write them.
        seconds: For how long the chart of the inspector is watched.
    """
    app = make_site()
    lines = read_log(app)
    client = app.test_client()
    for path in VISITS * 3:
        client.get(path)
    with serving(app) as address, chromium() as browser:
        reset(browser)
        set_size(browser, WIDTH, HEIGHT)
        # The first visit turns the boxes on, and the second one shows them.
        page = Overlay(browser, f"{address}{SHOWN}")
        client.post(f"{SHOWN}/note", data={"text": "One queue for all of them."})
        # Its members are rendered for a preview, and nothing else.
        browser.get(f"{address}{SHOWN}?preview=1")
        page.wait()
        page.do("scrollTo(0, document.body.scrollHeight)")
        page.do("labelled('miss notes').click()")
        browser.save_screenshot(str(folder / "overlay.png"))
        with app.test_request_context():
            path = app.url_for(INSPECTOR)
        browser.get(f"{address}{path}")
        visit_for(seconds, client)
        browser.save_screenshot(str(folder / "inspector.png"))
        browser.get("about:blank")
        set_size(browser, WIDTH, 22 * len(lines) + 32)
        shown = TERMINAL.format(html.escape("\n".join(lines)))
        browser.execute_script("document.write(arguments[0])", shown)
        browser.save_screenshot(str(folder / "log.png"))


if __name__ == "__main__":
    take(Path(sys.argv[1]))
