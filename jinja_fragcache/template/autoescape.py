"""Compile time of autoescape: asks whether the text of a fragment is escaped."""

from jinja2 import nodes

from jinja_fragcache.render.autoescape import IS_ESCAPED

from .filter_call import filter_call


def escaped_here() -> nodes.Filter:
    """Return an expression that tells whether text that stands here is escaped.

    That is decided where it is compiled, by the state of its own template, and not by
    that of the page that is rendered. It compiles to a constant, or to a look at the
    state where that can change.
    """
    return filter_call(nodes.TemplateData(""), IS_ESCAPED, [])
