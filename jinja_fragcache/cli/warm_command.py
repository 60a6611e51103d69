"""`warm`, which asks for pages so that their fragments are stored."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import click

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.errors import CheckError
from jinja_fragcache.messages import count, duration, one_line

from .fetching import Fetch, NoAnswerError, fetching
from .options import Failure, app_option, enter_context_of, json_option, settings_here
from .output import with_progress, write_json
from .stores import ask, refuse_memory
from .targets import app_of, cache_of_app

_SCHEMES = ("http", "https")
_AGENT = "jinja-fragcache-warm"
_MOST_REDIRECTS = 10
_FIRST_ERROR = 400
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(slots=True)
class Warmed:
    """A page that was asked for.

    Attributes:
        url: Its URL, as it was given.
        status: The status of the last answer, 0 if there was none.
        seconds: How long it took.
        bytes: The size of the page.
        error: Why nothing was warmed, or "".
    """

    url: str
    status: int = 0
    seconds: float = 0.0
    bytes: int = 0
    error: str = ""


@click.command("warm")
@click.argument("urls", metavar="URL...", nargs=-1, required=True)
@app_option
@click.option("--header", "headers", metavar="NAME:VALUE", multiple=True)
@click.option("--user-agent", default=_AGENT, show_default=True)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Seconds to wait for a server.",
)
@json_option
def warm_command(
    urls: tuple[str, ...],
    app: Any,
    headers: tuple[str, ...],
    user_agent: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Ask for pages, so that their fragments are stored.

    With an application, it is called in this process, by WSGI or ASGI. Each URL is a
    path, or has the host that its visitors use. Without one, each URL begins with
    http:// or https://, and its server is asked. Redirects are followed on the same
    host only.

    The exit status is 1 if a page was not answered, or by an error.
    """
    sent = {"User-Agent": user_agent, **dict(map(_header, headers))}
    called, cache = (None, None) if app is None else _app_and_cache(app)
    pairs = [(url, _full_url(url, called)) for url in urls]
    try:
        with fetching(called, timeout) as fetch:
            warmed = [
                _warm(given, url, fetch, sent)
                for given, url in with_progress(pairs, "Warming")
            ]
    except NoAnswerError as error:
        raise Failure(one_line(str(error))) from error
    if as_json:
        stored = None if cache is None else cache.stats().stored
        pages = [asdict(each) for each in warmed]
        write_json({"pages": pages, "stored": stored})
    else:
        _show(warmed, cache)
    sys.exit(1 if any(each.error for each in warmed) else 0)


def _app_and_cache(target: Any) -> tuple[Any, FragmentCache | None]:
    """Return an application, and its cache if it is one of Flask."""
    try:
        app = app_of(target, settings_here().folder)
        cache = cache_of_app(app, target) if hasattr(app, "jinja_env") else None
    except CheckError as error:
        raise Failure(str(error)) from error
    if not callable(app):
        raise Failure(f"--app {target} is no WSGI or ASGI application.")
    if cache is None:
        return app, None
    refuse_memory(
        cache,
        "warm the workers",
        "Ask the server for the pages: jinja-fragcache warm http://127.0.0.1:8000/.",
    )
    enter_context_of(app)
    ask(cache)
    return app, cache


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not (colon and name.strip()) or not text.isprintable():
        raise Failure(f"--header {text!r} is not of the form NAME:VALUE.")
    return name.strip(), value.strip()


def _full_url(url: str, app: Any) -> str:
    parts = urlsplit(url)
    if parts.scheme in _SCHEMES and parts.netloc:
        return url
    if app is None:
        raise Failure(
            f"{url!r} is no URL of a server. Write http://HOST/PATH, or name the"
            " application with --app."
        )
    if not url.startswith("/"):
        raise Failure(f"{url!r} is no path. Write /PATH, or http://HOST/PATH.")
    config = getattr(app, "config", {})
    host = config.get("SERVER_NAME") or "localhost"
    return f"{config.get('PREFERRED_URL_SCHEME') or 'http'}://{host}{url}"


def _warm(given: str, url: str, fetch: Fetch, headers: Mapping[str, str]) -> Warmed:
    warmed = Warmed(given)
    start = time.perf_counter()
    try:
        _follow(warmed, url, fetch, headers)
    except NoAnswerError as error:
        warmed.error = one_line(str(error))
    warmed.seconds = round(time.perf_counter() - start, 6)
    return warmed


def _follow(warmed: Warmed, url: str, fetch: Fetch, headers: Mapping[str, str]) -> None:
    """Fetch a page and note what was answered, behind redirects on the same host."""
    for _ in range(_MOST_REDIRECTS):
        answer = fetch(url, headers)
        warmed.status, warmed.bytes = answer.status, answer.size
        if answer.status not in _REDIRECTS or not answer.location:
            if answer.status >= _FIRST_ERROR or not answer.status:
                warmed.error = f"answered with the status {answer.status}"
            return
        there = urljoin(url, answer.location)
        if urlsplit(there)[:2] != urlsplit(url)[:2]:
            warmed.error = f"redirects to {one_line(there)}, which is not followed"
            return
        url = there
    warmed.error = f"redirects more than {_MOST_REDIRECTS} times"


def _show(warmed: Sequence[Warmed], cache: FragmentCache | None) -> None:
    for each in warmed:
        if each.error:
            click.echo(f"{click.style(each.url, fg='red')}: {each.error}.", err=True)
        else:
            click.echo(
                f"{each.url}: {each.status}, {count(each.bytes, 'byte')},"
                f" {duration(each.seconds)}"
            )
    failed = sum(bool(each.error) for each in warmed)
    summary = f"{count(len(warmed) - failed, 'page')} answered, {failed} failed"
    if cache is not None:
        stored = "entry was" if cache.stats().stored == 1 else "entries were"
        summary += f"; {cache.stats().stored:,} {stored} stored"
    click.echo(f"{summary}.")
