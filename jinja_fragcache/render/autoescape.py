"""Render time of autoescape: whether the text of a fragment is escaped.

A text is never served where autoescape is in another state. (`template.autoescape` puts
the question into a template, `entries.freshness` compares the answers.)
"""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

IS_ESCAPED = "fragment_cache is_escaped"


def is_escaped(text: str) -> bool:
    """Return whether a piece of a template's own text counts as escaped."""
    return isinstance(text, Markup)


AUTOESCAPE_FILTERS: dict[str, Callable[..., Any]] = {IS_ESCAPED: is_escaped}
