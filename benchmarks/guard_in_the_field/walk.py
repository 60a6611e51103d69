"""Lets the visitors walk through one application in one way, and writes what was seen.

    python -m benchmarks.guard_in_the_field.walk NAME WAY FILE

The ways:

- `plain`: without this package,
- `record`: without the guard, and with a key that no other rendering has. So each text
  is in the store, and it is known what each visitor was shown by each tag,
- `guard`: the key has the page and the values that the view gave to the template. So
  what makes texts of one key differ was read of the request.
"""

import json
import logging
import re
import sys
from collections import Counter
from contextvars import ContextVar
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Flask
from jinja2 import pass_context
from jinja2.runtime import Context

from benchmarks.guard_in_the_field.apps import (
    STRANGERS,
    SUBJECTS,
    VISITORS,
    Page,
    Subject,
)
from benchmarks.guard_in_the_field.tagging import FieldTags
from jinja_fragcache import Cache, make_template_fragment_key
from jinja_fragcache.engine.dependencies import quietly

_ROUNDS = 2
_TOKEN = re.compile('name="csrf_token"[^>]* value="([^"]*)"')
_PAGE = "request.method, request.full_path, {site!r}|nth"
_KEYS = {
    "guard": f"{_PAGE}, {{names}}|digest_of",
    "record": f"[{_PAGE}]|recorded({{site!r}})",
}
# What a variable of the page may be in a key.
_PLAIN = (str, bytes, int, float, bool, type(None), date, timedelta)
_OF_FLASK = frozenset({"config", "current_user", "g", "request", "session"})
_DEEPEST = 8

# Of the current request: who asks, its number, how often it has come to each tag, and
# the digests of the contexts.
_visitor: ContextVar[str] = ContextVar("visitor")
_number: ContextVar[int] = ContextVar("number", default=0)
_counts: ContextVar[Counter[str]] = ContextVar("counts")
_digests: ContextVar[dict[int, str]] = ContextVar("digests")
# What the current request has recorded, by keys: the tag and the page.
_recorded: ContextVar[dict[str, tuple[str, str]]] = ContextVar("recorded")


@pass_context  # so that Jinja does not call it at compile time
def nth(_: Context, site: str) -> int:
    """Return how often the current request has come to a tag. A filter."""
    counts = _counts.get()
    counts[site] += 1
    return counts[site]


@pass_context
def digest_of(context: Context, values: list[Any]) -> str:
    """Return a digest of values and of what the view gave to the template. A filter."""
    with quietly():
        known = _digests.get()
        if id(context) not in known:
            known[id(context)] = shown(
                {
                    name: value
                    for name, value in {**context.parent, **context.vars}.items()
                    if name not in {*context.environment.globals, *_OF_FLASK}
                }
            )
        text = f"{known[id(context)]} {shown(values)}"
    return sha256(text.encode()).hexdigest()


@pass_context
def recorded(_: Context, values: list[Any], site: str) -> list[Any]:
    """Return a key that no other rendering has, and record it. A filter."""
    key = [*values, _visitor.get(), _number.get()]
    _recorded.get()[make_template_fragment_key(site, [key])] = site, repr(values)
    return key


def shown(value: Any, depth: int = 0) -> str:
    """Return a text that tells plain values apart, and of others their plain fields.

    Of the rows of a database it tells the identifier.
    """
    kind = type(value)
    if issubclass(kind, _PLAIN):
        return repr(value)
    if depth == _DEEPEST:
        return kind.__name__
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(shown(each, depth + 1) for each in value)}]"
    if isinstance(value, dict):
        items = (f"{key}={shown(each, depth + 1)}" for key, each in value.items())
        return f"[{' '.join(items)}]"
    if hasattr(kind, "__mapper__"):
        # That of a user is what the guard has to see.
        return f"{kind.__name__}{'' if hasattr(kind, 'get_id') else value.id}"
    fields = {
        name: each
        for name, each in getattr(value, "__dict__", {}).items()
        if issubclass(type(each), _PLAIN)
    }
    return f"{kind.__name__}{fields}"


class Lines(logging.Handler):
    """Collects what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Collect a line. Called by `logging`."""
        self.lines.append(record.getMessage())


def walk(
    subject: Subject, cache: Cache | None, texts: set[tuple[str, ...]]
) -> dict[str, str]:
    """Let all visitors ask for all pages, and return the answers.

    Args:
        subject: The application.
        cache: Its cache, if it has one.
        texts: Gets what was recorded: tags, pages, visitors and texts.
    """
    clients = {}
    for name, language in VISITORS.items():
        clients[name] = subject.app.test_client()
        clients[name].environ_base["HTTP_ACCEPT_LANGUAGE"] = language
        if name not in STRANGERS:
            for page in subject.sign_in(name):
                fetch(clients[name], name, page)
    pages = {}
    for turn in range(_ROUNDS):
        for place, page in enumerate(subject.pages):
            for name in sorted(VISITORS, reverse=turn % 2 == 1):
                answer = fetch(clients[name], name, page)
                pages[f"{turn} {place} {page.url} {name}"] = answer
                for key, found in _recorded.get().items():
                    text = cache.get(key) if cache else None
                    # A key that was asked for without a rendering has none.
                    if text is not None:
                        texts.add((*found, name, text))
    return pages


def fetch(client: Any, name: str, page: Page) -> str:
    """Return the answer to a visitor.

    Raises:
        RuntimeError: If it is that something is broken.
    """
    _begin(name)
    if page.form is None:
        answer = client.get(page.url)
    else:
        token = _TOKEN.search(client.get(page.url).text)
        _begin(name)
        data = {**page.form, "csrf_token": token[1]} if token else page.form
        answer = client.post(page.url, data=data)
    if answer.status_code >= 500:  # noqa: PLR2004 - of HTTP
        raise RuntimeError(f"{name} {page.url}: {answer.status}")
    return f"{answer.status_code} {answer.location or ''} {answer.text}"


def _begin(name: str) -> None:
    _visitor.set(name)
    _number.set(_number.get() + 1)
    _counts.set(Counter())
    _digests.set({})
    _recorded.set({})


def tagged(app: Flask, way: str) -> Cache:
    """Let an application's templates be tagged, and return its cache."""
    environment = app.jinja_env
    environment.filters |= {"nth": nth, "digest_of": digest_of, "recorded": recorded}

    def around(site: str, names: str) -> tuple[str, str]:
        key = _KEYS[way].format(site=site, names=names)
        return f"{{% cache 300, {site!r}, {key} %}}", "{% endcache %}"

    FieldTags.around = staticmethod(around)
    is_record = way == "record"
    cache = Cache()
    cache.init_app(
        app,
        config={
            "CACHE_TYPE": "SimpleCache",
            "CACHE_THRESHOLD": 0,
            "CACHE_VERIFY": 0 if is_record else 1,
            "CACHE_GUARD": not is_record,
        },
    )
    environment.add_extension(FieldTags)
    return cache


def main(name: str, way: str, file: str) -> None:
    """Walk, and write what was seen."""
    lines = Lines()
    logging.getLogger("jinja_fragcache").addHandler(lines)
    subject = SUBJECTS[name]()
    cache = None if way == "plain" else tagged(subject.app, way)
    texts: set[tuple[str, ...]] = set()
    pages = walk(subject, cache, texts)
    stats = cache.stats() if cache else None
    seen = {
        "pages": pages,
        "tags": len(FieldTags.sites),
        "hits": stats.hits if stats else 0,
        "differed": stats.differed if stats else 0,
        "lines": lines.lines,
        "texts": sorted(texts),
    }
    Path(file).write_text(json.dumps(seen), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
