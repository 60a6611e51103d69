"""Comments in HTML that tell what became of the fragments of a page."""

import json
import math
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import count

from .events import Report
from .listeners import Listener

# What is shown as it is. Nothing in it can end a comment, or a word of it.
_PLAIN = r"(?a)(?!-)[\w.:/%@+~-]+(?<!-)"


class Comments(Listener):
    """Writes what is reported of fragments as comments in HTML.

    Whoever looks fragments up collects what is reported meanwhile.
    """

    wants_expiry = True

    def __init__(self) -> None:
        self._collected: ContextVar[list[Report] | None] = ContextVar(
            "collected", default=None
        )
        # Tells these comments from those that a template has.
        self._token = os.urandom(4).hex()
        self._numbers = count(1)
        self._own = re.compile(rf"<!-- [^>]* #{self._token}\.\d+ -->")

    def on_report(self, report: Report) -> None:
        """Keep a report for who collects them."""
        collected = self._collected.get()
        if collected is not None:
            collected.append(report)

    @contextmanager
    def collecting(self, reports: list[Report]) -> Iterator[None]:
        """Add what is reported in the `with` block to a list."""
        before = self._collected.set(reports)
        try:
            yield
        finally:
            self._collected.reset(before)

    def around(self, kind: str, report: Report) -> tuple[str, str]:
        """Return the comments in front of a fragment, and behind it.

        Args:
            kind: What it is, such as "cache".
            report: What became of it.
        """
        return self._pair(kind, _told(report))

    def around_hole(self, kind: str, report: Report) -> tuple[str, str]:
        """Return the comments around a hole of a fragment."""
        return self._pair(kind, [_quoted(report.name)])

    def _pair(self, kind: str, words: list[str]) -> tuple[str, str]:
        end = f"#{self._token}.{next(self._numbers)} -->"
        return f"<!-- {kind} {' '.join(words)} {end}", f"<!-- /{kind} {end}"

    def removed(self, text: str) -> str:
        """Return a text without the comments that were written here."""
        return self._own.sub("", text)


def comments_among(listeners: Iterable[Listener]) -> Comments | None:
    """Return the first listener that writes comments; None if none does."""
    return next((each for each in listeners if isinstance(each, Comments)), None)


def _told(report: Report) -> list[str]:
    words: list[str] = [report.outcome, _quoted(report.name)]
    if report.why is not None:
        words.append(f"why={_quoted(str(report.why))}")
    if report.not_stored is not None:
        words.append(f"not-stored={_quoted(str(report.not_stored))}")
    if report.key is not None:
        words.append(f"key={_word(report.key)}")
    if report.age is not None:
        words.append(f"age={report.age:.0f}s")
    if report.expires_in is not None:
        never = report.expires_in == math.inf
        words.append(f"expires={'never' if never else f'{report.expires_in:.0f}s'}")
    if report.tags:
        words.append(f"tags={','.join(map(_word, report.tags))}")
    return [*words, _word(report.place)]


def _word(text: str) -> str:
    """Return a text as it is, or in quotes."""
    return text if re.fullmatch(_PLAIN, text) and "--" not in text else _quoted(text)


def _quoted(text: str) -> str:
    r"""Return a text as JSON in which no comment can end.

    `<` and `>` are `\u003c` and `\u003e` in it, and so is the second of two hyphens.
    """
    quoted = json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e")
    return quoted.replace("--", "-\\u002d")
