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
    in_branch,
    keep_macro_names,
    mend,
    names_from_outside,
)
from .each import ROW_NAMES, Each, check_row_key, parse_each
from .filter_call import filter_call
from .holes import (
    WHICH,
    make_hole,
    take_holes,
)
from .lookup_call import LookupCall
from .names import bound_names
from .parts import Facts, Holes, Part, facts_of, finish, set_line
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
        set_line(fragment, token.lineno)
        return fragment

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
        facts = facts_of(body)
        if facts.leaves_loop:
            check_loop_control(parser, body)
        missed, filled = parser.free_identifier(), parser.free_identifier()
        holes = take_holes(parser, body, missed)
        call = LookupCall(
            parser,
            line,
            site,
            arguments,
            by_page=facts.depends_on_page,
            holes=tuple(holes.numbers),
        )
        lists: list[nodes.Expr] = [missed, filled] if holes.numbers else [missed]
        seen = names_from_outside(body)
        if site.in_branch:
            body = in_branch(body)
        block = self._call_block("_render", lists, body)
        rendered = self._rendered(parser, block, facts)
        return [
            _reading([*seen, *holes.seen]),
            *call.preparation,
            *[nodes.Assign(name, nodes.List([])) for name in lists],
            # A filter block writes what its filter returns without escaping or
            # finalizing it again.
            nodes.FilterBlock(
                [], call.fragment(missed, filled if holes.numbers else None)
            ),
            nodes.If(missed, rendered, [], []),
            *self._filled("_fill", filled, holes, line),
        ]

    def _parse_list(self, parser: Parser, line: int, site: Site) -> list[nodes.Node]:
        each = parse_each(parser)
        arguments = parse_arguments(parser)
        check_row_key(parser, arguments)
        ends = ("name:endcache_each", "name:else")
        body = parser.parse_statements(ends)
        else_: list[nodes.Node] = []
        if next(parser.stream).value == "else":
            # As in a loop, the names that are set there end with it.
            else_ = [nodes.Scope(parser.parse_statements(ends[:1], drop_needle=True))]
        facts = facts_of(body)
        if facts.leaves_loop:
            check_loop_control(parser, body)
        rows, missed = parser.free_identifier(), parser.free_identifier()
        filled = parser.free_identifier()
        holes = take_holes(parser, body, missed)
        call = LookupCall(
            parser,
            line,
            site,
            arguments,
            by_page=facts.depends_on_page,
            holes=tuple(holes.numbers),
        )
        asking = [*call.preparation, nodes.ExprStmt(call.row(each.item, rows))]
        lists: list[nodes.Expr] = [missed, filled] if holes.numbers else [missed]
        body = [*each.unpacking(), *body]
        seen = names_from_outside(body, ROW_NAMES)
        block = self._call_block("_render_rows", lists, body, ROW_NAMES)
        rendered = self._rendered(parser, block, facts)
        return [
            _reading([*seen, *holes.seen]),
            *[nodes.Assign(name, nodes.List([])) for name in (rows, *lists)],
            each.loop(asking),
            nodes.If(rows, [nodes.FilterBlock([], call.rows(rows, lists))], [], else_),
            nodes.If(missed, rendered, [], []),
            *self._filled("_fill_rows", filled, holes, line, each),
        ]

    def _filled(
        self,
        method: str,
        filled: nodes.Expr,
        holes: Holes,
        line: int,
        each: Each | None = None,
    ) -> list[nodes.Node]:
        """Return the nodes that print texts with holes, of a fragment or of rows."""
        if not holes.numbers:
            return []
        body, names = holes.body, [WHICH]
        bound: frozenset[str] = frozenset()
        if each is not None:
            body = [*each.unpacking(), *body]
            names += ROW_NAMES
            bound = frozenset(bound_names(each.unpacking()))
        block = self._call_block(method, [filled], body, names)
        block.lineno = line
        finish(block, Part(holes.facts, holes=holes, line=line, bound=bound))
        return [nodes.If(filled, [*_assignments(holes.kept), block], [], [])]

    def _rendered(
        self, parser: Parser, block: nodes.CallBlock, facts: Facts
    ) -> list[nodes.Node]:
        """Return the nodes that render a body."""
        if facts.needs_mending:
            mend(parser, block.body)
        kept = keep_macro_names(parser, block.body, facts.macro_names)
        finish(block, Part(facts))
        return [*_assignments(kept), block]

    def _call_block(
        self,
        method: str,
        arguments: list[nodes.Expr],
        body: list[nodes.Node],
        parameters: Sequence[str] = (),
    ) -> nodes.CallBlock:
        """Return the block that calls a method of this extension with a body.

        Args:
            method: The method's name, without the `_async` of its coroutine function.
            arguments: Its arguments.
            body: The body that it gets as its `caller`.
            parameters: The names of the arguments that the body takes.
        """
        if self.environment.is_async:
            method = f"{method}_async"
        args = [nodes.Name(name, "param") for name in parameters]
        return nodes.CallBlock(self.call_method(method, arguments), args, [], body)


def _parse_hole(parser: Parser, line: int, site: Site) -> nodes.Node:
    if parser.stream.current.type != "block_end":
        parser.fail(
            f"{written(parser, 'nocache')} takes no arguments: what stands in it is"
            " rendered for each request.",
            line,
        )
    content = parser.parse_statements(("name:endnocache",), drop_needle=True)
    return make_hole(parser, site, line, content)


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


def _assignments(kept: list[tuple[str, nodes.InternalName]]) -> list[nodes.Node]:
    return [nodes.Assign(new, nodes.Name(name, "load")) for name, new in kept]


def _reading(names: list[nodes.Expr]) -> nodes.Node:
    """Return the node that makes names known where the tag stands.

    It compiles to nothing: there are no targets that the values could be assigned to.
    """
    return nodes.With([], names, [])
