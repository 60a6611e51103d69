"""The Jinja extension: compiles `cache`, `cache_each` and `nocache` to nodes.

`{% cache 300, "sidebar" %} ... {% endcache %}` becomes these nodes:

    {% call render(the stored text, or a Miss, which is false) %} ... {% endcall %}

If there are holes in the body, the text goes through a second call block:

    {% set found = the text with holes of the store, or a Miss %}
    {% call render(found) %} ... {% endcall %}
    {% call(hole) fill(found) %}
        {% if hole == 3 %} ... {% elif ... %}
    {% endcall %}

`tags` makes these nodes, and `code_generator` compiles the call blocks so that a hit
builds nothing. What only compiles is imported with the first template that is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.parser import Parser

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.render.call_blocks import BodyRendering
from jinja_fragcache.render.functions import own_names


class FragmentCacheExtension(BodyRendering, Extension):
    """Adds `{% cache %}`, `{% cache_each %}` and `{% nocache %}` to an environment.

    `Environment(extensions=[FragmentCacheExtension])` is all that it needs. The
    environment's `fragment_cache` is then a `FragmentCache` that keeps fragments in
    this process. Assign another `FragmentCache`, or a store, to keep them elsewhere.
    """

    # As `TAGS` of `tag_sites`.
    tags = {"cache", "cache_each", "nocache"}  # noqa: RUF012 - this is how Jinja declares it
    # For `reads.marks`, which reads the tags in its place.
    compiles_fragments = True
    # After other extensions. So if another one has the same tag, as Flask-Caching's
    # has, this one's counts, and the tokens are read as the others leave them.
    priority = 1000

    def __init__(self, environment: Environment) -> None:
        # Here, because only environments need it.
        from .preparing import prepare  # noqa: PLC0415

        super().__init__(environment)
        if not hasattr(environment, "fragment_cache"):
            environment.extend(fragment_cache=FragmentCache())
        prepare(environment)

    def bind(self, environment: Environment) -> Self:
        """Return a copy of it for an overlay. Called by Jinja."""
        own_names(environment)
        return super().bind(environment)

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Mark where the template's tags stand. Called by Jinja."""
        # Here, because a template from a bytecode cache is not compiled.
        from .tag_sites import mark_sites  # noqa: PLC0415

        return mark_sites(stream, stream.name, self._find_needs)

    def _find_needs(self, tokens: list[Token]) -> dict[tuple[int, int], str]:
        from .auto import needs_in  # noqa: PLC0415 - few templates need it

        return needs_in(self.environment, tokens)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Parse a tag to its end. Called by Jinja."""
        from .tags import parse_tag  # noqa: PLC0415 - as in `filter_stream`

        return parse_tag(self, parser)
