"""Asks, in a compiled template, whether the text of a fragment is escaped there."""

from __future__ import annotations

from jinja2 import nodes

from jinja_fragcache.render.autoescape import IS_ESCAPED

from .filter_call import filter_call


def escaped_here() -> nodes.Filter:
    """Return an expression that is true if template text in this place is escaped.

    Jinja escapes by the autoescape state of the template in which the text stands, not
    by that of the page that is rendered. The expression is compiled to a constant, or
    to a check at render time where the state can change.
    """
    return filter_call(nodes.TemplateData(""), IS_ESCAPED, [])
