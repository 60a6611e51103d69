"""A real browser for the tests, and a server for the applications that it shows."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.servers import missing

_WAIT_SECONDS = 20
WIDTH, HEIGHT = 1300, 900
# Nothing of it may reach another machine, such as for updates.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    "--lang=en",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@contextmanager
def chromium() -> Iterator[Chrome]:
    """Run a headless Chromium in the `with` block, with a profile of its own.

    Where it or its driver is missing, the test is skipped. In CI it fails.
    """
    program = shutil.which("chromium") or missing("chromium is not installed")
    driver = shutil.which("chromedriver") or missing("chromium-driver is not installed")
    # The driver is named, so selenium need not look for one, or download it.
    env = {**os.environ, "SE_AVOID_STATS": "true", "SE_OFFLINE": "true"}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = program
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        browser = Chrome(options=options, service=ChromeService(driver, env=env))
        try:
            yield browser
        finally:
            browser.quit()


def reset(browser: Chrome) -> None:
    """Forget what the last test did: its page, cookies, messages and window."""
    browser.get("about:blank")
    browser.execute_cdp_cmd("Network.clearBrowserCookies", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    set_size(browser, WIDTH, HEIGHT)
    messages(browser)


def set_size(browser: Chrome, width: int, height: int) -> None:
    """Set the size of the page that is visible, in CSS pixels."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": False}
    )


def messages(browser: Any) -> list[str]:
    """Return what the console has shown since this was called the last time.

    The violations of a Content-Security-Policy and the errors of scripts are there.
    """
    return [each["message"] for each in browser.get_log("browser")]


def until(browser: Chrome, script: str, *args: object) -> Any:
    """Return what an expression of JavaScript gives once it is true.

    Args:
        browser: The browser.
        script: The expression. `args` are `arguments` in it.
        args: What it needs.
    """
    waiting = f"""
        const done = arguments[arguments.length - 1];
        const given = [...arguments].slice(0, -1);
        const look = (function () {{ return {script}; }});
        const again = () => {{
            const found = look.apply(null, given);
            if (found) done(found);
            else setTimeout(again, 10);
        }};
        again();
    """
    browser.set_script_timeout(_WAIT_SECONDS)
    return browser.execute_async_script(waiting, *args)


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


@contextmanager
def serving(app: Callable[..., Any]) -> Iterator[str]:
    """Serve a WSGI application in the `with` block, and yield its address.

    It ends with no slash: `http://127.0.0.1:11123`.
    """
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
