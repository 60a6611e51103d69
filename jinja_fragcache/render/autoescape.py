"""Whether the text of a fragment is escaped, asked at render time.

A text is never served where autoescape is in another state. (`template.autoescape`
compiles the call of this filter, and `entries.freshness` compares the result with the
entry's.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from .functions import FunctionName

IS_ESCAPED = FunctionName("is_escaped")


def is_escaped(text: str) -> bool:
    """Return whether text that stands in a template is escaped there.

    Args:
        text: A piece of the template's own text, which Jinja compiles as `Markup` where
            autoescape is on.
    """
    return isinstance(text, Markup)


AUTOESCAPE_FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {IS_ESCAPED: is_escaped}
