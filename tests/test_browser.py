from typing import Any

import pytest
from flask import Flask

pytest.importorskip("selenium")
from tests.browser import HEIGHT, WIDTH, messages, serving, until

pytestmark = pytest.mark.slow


def test_the_browser_shows_an_application_and_tells_what_its_policy_forbids(
    browser: Any,
) -> None:
    app = Flask(__name__)

    @app.get("/")
    def page() -> tuple[str, dict[str, str]]:
        text = "<title>Seen</title><script>document.title = 'Run'</script>"
        return text, {"Content-Security-Policy": "script-src 'none'"}

    with serving(app) as address:
        browser.get(address)
        assert browser.title == "Seen"
        assert until(browser, "[innerWidth, innerHeight]") == [WIDTH, HEIGHT]
    assert any("Content Security Policy" in each for each in messages(browser))
