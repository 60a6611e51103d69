"""The Jinja extension: compiles `cache`, `cache_each` and `nocache` to nodes.

`{% cache 300, "sidebar" %} ... {% endcache %}` is compiled as if the template were:

    {% set missed = [] %}
    {{ prints the stored text, or nothing and appends a Miss to `missed` }}
    {% if missed %}{% call render(missed) %} ... {% endcall %}{% endif %}

So a hit costs one call and builds nothing, and the body is compiled like any call
block. If there are holes in the body, the text is put into a list, and printed from
there:

    {% set missed = [] %}{% set filled = [] %}
    {{ prints nothing, and appends a text to `filled` or a Miss to `missed` }}
    {% if missed %}{% call render(missed, filled) %} ... {% endcall %}{% endif %}
    {% if filled %}{% call(hole) fill(filled) %}
        {% if hole == 3 %} ... {% elif ... %}
    {% endcall %}{% endif %}
"""

from collections.abc import Iterable, Sequence

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.nativetypes import NativeCodeGenerator
from jinja2.parser import Parser

from jinja_fragcache.cache import FragmentCache
from jinja_fragcache.engine.dependencies import cache_tag
from jinja_fragcache.render.autoescape import AUTOESCAPE_FUNCTIONS
from jinja_fragcache.render.call_blocks import BodyRendering
from jinja_fragcache.render.each import ROW_FUNCTIONS
from jinja_fragcache.render.functions import register
from jinja_fragcache.render.holes import HOLE_FUNCTIONS
from jinja_fragcache.render.lookup import FRAGMENT_FUNCTIONS
from jinja_fragcache.render.output import NOTE_PRINTING, OUTPUT_FUNCTIONS

from .arguments import parse_arguments, written
from .body import (
    check_loop_control,
    depends_on_page,
    keep_macro_names,
    mend_includes,
    names_from_outside,
)
from .each import ROW_NAMES, Each, check_row_key, parse_each
from .filter_call import filter_call
from .holes import (
    WHICH,
    Hole,
    hole_body,
    make_hole,
    own_call_block,
    take_holes,
)
from .lookup_call import LookupCall
from .tag_sites import HOLE_TAG, LIST_TAG, SITE, TAGS, Site, mark_sites


class FragmentCacheExtension(BodyRendering, Extension):
    """Adds `{% cache %}`, `{% cache_each %}` and `{% nocache %}` to an environment.

    `Environment(extensions=[FragmentCacheExtension])` is all that it needs. The
    environment's `fragment_cache` is then a `FragmentCache` that keeps fragments in
    this process. Assign another `FragmentCache`, or a store, to keep them elsewhere.
    """

    tags = set(TAGS)  # noqa: RUF012 - this is how Jinja declares it
    # After other extensions. So if another one has the same tag, as Flask-Caching's
    # has, this one's counts, and the tokens are read as the others leave them.
    priority = 1000

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if not hasattr(environment, "fragment_cache"):
            environment.extend(fragment_cache=FragmentCache())
        register(
            environment,
            {
                **FRAGMENT_FUNCTIONS,
                **ROW_FUNCTIONS,
                **HOLE_FUNCTIONS,
                **OUTPUT_FUNCTIONS,
                **AUTOESCAPE_FUNCTIONS,
            },
        )
        environment.globals.setdefault("cache_tag", cache_tag)

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Mark where the template's tags stand. Called by Jinja."""
        return mark_sites(stream, stream.name)

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Parse a tag to its end. Called by Jinja."""
        token = next(parser.stream)
        # Put there by filter_stream.
        site = Site.from_text(parser.stream.expect(SITE).value)
        if token.value == HOLE_TAG:
            return _parse_hole(parser, token.lineno, site)
        self._check_environment(parser, token.lineno)
        parse = self._parse_list if token.value == LIST_TAG else self._parse_fragment
        fragment = parse(parser, token.lineno, site)
        if site.may_not_print:
            fragment = _if_printing(parser, fragment)
        return [node.set_lineno(token.lineno) for node in fragment]

    def _check_environment(self, parser: Parser, line: int) -> None:
        if issubclass(self.environment.code_generator_class, NativeCodeGenerator):
            parser.fail(
                "The cache tag keeps text, and a NativeEnvironment renders Python"
                " values. Use it in a jinja2.Environment.",
                line,
            )

    def _parse_fragment(
        self, parser: Parser, line: int, site: Site
    ) -> list[nodes.Node]:
        arguments = parse_arguments(parser)
        body = parser.parse_statements(("name:endcache",), drop_needle=True)
        check_loop_control(parser, body)
        missed, filled = parser.free_identifier(), parser.free_identifier()
        by_page = depends_on_page(body)
        holes = take_holes(parser, body, missed)
        numbers = tuple(hole.number for hole in holes)
        call = LookupCall(parser, line, site, arguments, by_page=by_page, holes=numbers)
        lists: list[nodes.Expr] = [missed, filled] if holes else [missed]
        seen, rendered = self._call_block(parser, "_render", lists, body)
        return [
            *seen,
            *call.preparation,
            *[nodes.Assign(name, nodes.List([])) for name in lists],
            # A filter block writes what its filter returns without escaping or
            # finalizing it again.
            nodes.FilterBlock([], call.fragment(missed, filled if holes else None)),
            nodes.If(missed, rendered, [], []),
            *(self._filled(parser, filled, holes) if holes else []),
        ]

    def _filled(
        self, parser: Parser, filled: nodes.Expr, holes: list[Hole]
    ) -> list[nodes.Node]:
        """Return the nodes that print a text with holes."""
        body = hole_body(holes)
        seen, printed = self._call_block(parser, "_fill", [filled], body, [WHICH])
        return [*seen, nodes.If(filled, printed, [], [])]

    def _parse_list(self, parser: Parser, line: int, site: Site) -> list[nodes.Node]:
        each = parse_each(parser)
        arguments = parse_arguments(parser)
        check_row_key(parser, arguments)
        ends = ("name:endcache_each", "name:else")
        body = parser.parse_statements(ends)
        else_: list[nodes.Node] = []
        if next(parser.stream).value == "else":
            else_ = parser.parse_statements(ends[:1], drop_needle=True)
        check_loop_control(parser, body)
        rows, missed = parser.free_identifier(), parser.free_identifier()
        filled = parser.free_identifier()
        by_page = depends_on_page(body)
        holes = take_holes(parser, body, missed)
        numbers = tuple(hole.number for hole in holes)
        call = LookupCall(parser, line, site, arguments, by_page=by_page, holes=numbers)
        asking = [*call.preparation, nodes.ExprStmt(call.row(each.item, rows))]
        lists: list[nodes.Expr] = [missed, filled] if holes else [missed]
        body = [*each.unpacking(), *body]
        seen, rendered = self._call_block(
            parser, "_render_rows", lists, body, ROW_NAMES
        )
        return [
            *seen,
            *[nodes.Assign(name, nodes.List([])) for name in (rows, *lists)],
            each.loop(asking),
            nodes.If(rows, [nodes.FilterBlock([], call.rows(rows, lists))], [], else_),
            nodes.If(missed, rendered, [], []),
            *(self._filled_rows(parser, filled, holes, each) if holes else []),
        ]

    def _filled_rows(
        self, parser: Parser, filled: nodes.Expr, holes: list[Hole], each: Each
    ) -> list[nodes.Node]:
        """Return the nodes that print the texts of rows with holes."""
        body = [*each.unpacking(), *hole_body(holes)]
        names = [WHICH, *ROW_NAMES]
        seen, printed = self._call_block(parser, "_fill_rows", [filled], body, names)
        return [*seen, nodes.If(filled, printed, [], [])]

    def _call_block(
        self,
        parser: Parser,
        method: str,
        arguments: list[nodes.Expr],
        body: list[nodes.Node],
        parameters: Sequence[str] = (),
    ) -> tuple[list[nodes.Node], list[nodes.Node]]:
        """Return the nodes that call a method of this extension with a body.

        Args:
            parser: Parses the template.
            method: The method's name, without the `_async` of its coroutine function.
            arguments: Its arguments.
            body: The body that it gets as its `caller`.
            parameters: The names of the arguments that the body takes.

        Returns:
            The nodes to put before everything else, and the nodes of the call.
        """
        if not self.environment.is_async:
            mend_includes(parser, body)
        else:
            method = f"{method}_async"
        # Never run. It makes Jinja look the names up where the tag stands.
        names = [nodes.ExprStmt(name) for name in names_from_outside(body)]
        args = [nodes.Name(name, "param") for name in parameters]
        kept = keep_macro_names(parser, body)
        block = nodes.CallBlock(self.call_method(method, arguments), args, [], body)
        return [nodes.If(nodes.Const(None), names, [], [])], [
            *kept,
            own_call_block(block),
        ]


def _parse_hole(parser: Parser, line: int, site: Site) -> nodes.Node:
    if parser.stream.current.type != "block_end":
        parser.fail(
            f"{written(parser, 'nocache')} takes no arguments: what stands in it is"
            " rendered for each request.",
            line,
        )
    content = parser.parse_statements(("name:endnocache",), drop_needle=True)
    return make_hole(parser, site.number, line, content)


def _if_printing(parser: Parser, fragment: list[nodes.Node]) -> list[nodes.Node]:
    """Wrap a fragment so that it does nothing where Jinja prints nothing.

    Jinja skips a template's own output there, and only the compiler knows where that
    is. So a piece of output is put there, and it is checked whether it was skipped.
    """
    printing = parser.free_identifier()
    mark = nodes.Output([nodes.TemplateData("printing")])
    return [
        nodes.Assign(printing, nodes.List([])),
        nodes.FilterBlock([mark], filter_call(None, NOTE_PRINTING, [printing])),
        nodes.If(printing, fragment, [], []),
    ]
