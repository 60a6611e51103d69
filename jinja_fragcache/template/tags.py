"""Parses `cache`, `cache_each` and `nocache` to nodes.

It is imported with the first of these tags that is compiled. A process whose templates
all come from a bytecode cache never needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

from jinja_fragcache.reads.arguments import (
    Arguments,
    parse_arguments,
    tag_alone,
    written,
)
from jinja_fragcache.reads.tag_texts import tag_texts, tag_words
from jinja_fragcache.render.bodies import LIST_TAG, TAG
from jinja_fragcache.render.environment import ADDED
from jinja_fragcache.render.functions import HOLE_MARK, ITEMS, load
from jinja_fragcache.render.output import NOTE_PRINTING

from .body import (
    check_loop_control,
    keep_names,
    keep_surroundings,
    mend,
    names_from_outside,
)
from .body_names import HOLE_TAG
from .filter_call import filter_call, python_expression
from .lookup_call import LookupCall
from .names import bound_names
from .parts import WHICH, CallBlockKind, Holes, Part, facts_of, finish
from .tag_sites import SITE, Site

if TYPE_CHECKING:
    from jinja_fragcache.reads.heads import Each


def parse_tag(extension: Extension, parser: Parser) -> nodes.Node | list[nodes.Node]:
    """Parse a tag to its end.

    Args:
        extension: The extension, whose methods render what is in the tag.
        parser: The parser of the template, at the tag's name.
    """
    token = next(parser.stream)
    # Put there by `tag_sites`.
    site = Site.from_text(parser.stream.expect(SITE).value)
    if token.value == HOLE_TAG:
        hole = _parse_hole(parser, token.lineno, site)
        if site.printing == "always":
            return hole
        return _if_printing(parser, [hole], site, token.lineno)
    _check_environment(parser, token.lineno)
    parse = _parse_list if token.value == LIST_TAG else _parse_fragment
    fragment = parse(extension, parser, token.lineno, site)
    if site.printing == "always":
        return fragment
    return _if_printing(parser, fragment, site, token.lineno)


def _check_environment(parser: Parser, line: int) -> None:
    # Without an import: whoever has such an environment has imported the module.
    native: Any = sys.modules.get("jinja2.nativetypes")
    generator = parser.environment.code_generator_class
    if native is not None and issubclass(generator, native.NativeCodeGenerator):
        parser.fail(
            "The cache tag keeps text, and a NativeEnvironment renders Python"
            " values. Use it in a jinja2.Environment.",
            line,
        )


def _parse_fragment(
    extension: Extension, parser: Parser, line: int, site: Site
) -> list[nodes.Node]:
    with tag_alone(parser):
        arguments = parse_arguments(parser)
    body = parser.parse_statements(("name:endcache",), drop_needle=True)
    printing = _Printing(extension, parser, line, site, body)
    call = printing.look_up(arguments)
    reading = printing.reading(body)
    body = keep_surroundings(parser, body, site)
    return [
        *reading,
        *call.preparation,
        *printing.print_body("_render", call.fragment(), body),
        *printing.print_holes("_fill"),
    ]


def _parse_list(
    extension: Extension, parser: Parser, line: int, site: Site
) -> list[nodes.Node]:
    # Here, because few templates have lists.
    from jinja_fragcache.reads.heads import check_row_key, parse_each  # noqa: PLC0415

    from .each import (  # noqa: PLC0415 - see above
        loop,
        outer_loop_read,
        row_parameters,
        row_unpacking,
    )

    load(parser.environment, ITEMS)
    with tag_alone(parser):
        each = parse_each(parser)
        arguments = parse_arguments(parser)
        check_row_key(parser, arguments)
    ends = ("name:endcache_each", "name:else")
    body = parser.parse_statements(ends)
    else_: list[nodes.Node] = []
    if next(parser.stream).value == "else":
        # As in a loop, the names that are set there end with it.
        else_ = [nodes.Scope(parser.parse_statements(ends[:1], drop_needle=True))]
    rows = parser.free_identifier()
    printing = _Printing(extension, parser, line, site, body)
    call = printing.look_up(arguments, each)
    calls = call.row(each.item, rows)
    asked = [nodes.ExprStmt(each_call, lineno=line) for each_call in calls]
    asking = [*call.preparation, *asked]
    body, names = [*row_unpacking(each), *body], row_parameters(each)
    reading = printing.reading(body, names)
    printed = [
        *printing.print_body("_render_rows", call.rows(rows), body, names),
        *printing.print_holes("_fill_rows", each),
    ]
    if else_:
        printed = [nodes.If(rows, printed, [], else_, lineno=line)]
    return [
        *outer_loop_read(parser, line),
        *reading,
        nodes.Assign(rows, nodes.List([]), lineno=line),
        loop(each, asking),
        *printed,
    ]


class _Printing:
    """Makes the nodes that print what was found, or what is rendered on a miss.

    Args:
        extension: The extension whose methods render.
        parser: Parses the template.
        line: The line of the tag.
        site: Where the tag stands.
        body: The tag's body. Its holes are taken out of it, in place.

    Attributes:
        found: The name of what was found, if there are holes.
        holes: The holes.

    Raises:
        jinja2.TemplateSyntaxError: If the body can't be a fragment's.
    """

    def __init__(
        self,
        extension: Extension,
        parser: Parser,
        line: int,
        site: Site,
        body: list[nodes.Node],
    ) -> None:
        self._extension = extension
        self._parser = parser
        self._line = line
        self._site = site
        has_special_names = site.whole.has_special_names
        self._facts = facts_of(body, has_special_names=has_special_names)
        if self._facts.leaves_loop:
            check_loop_control(parser, body)
        self.holes = Holes()
        if self._facts.has_holes:
            from .holes import take_holes  # noqa: PLC0415 - few fragments have any

            self.found = parser.free_identifier()
            self.holes = take_holes(parser, body, self.found, site)

    def look_up(self, arguments: Arguments, each: Each | None = None) -> LookupCall:
        """Return the call that looks the fragment, or the rows, up.

        Args:
            arguments: The arguments of the tag.
            each: The head of its loop, if it has one.
        """
        texts = tag_texts(arguments, each)
        kind = LIST_TAG if each else TAG
        return LookupCall(
            self._parser,
            self._line,
            self._site,
            arguments,
            tag_words(kind, texts, [ADDED], is_auto=arguments.is_auto),
            by_page=self._facts.depends_on_page,
            holes=tuple(self.holes.lines),
        )

    def reading(
        self, body: list[nodes.Node], parameters: Sequence[str] = ()
    ) -> list[nodes.Node]:
        """Return nodes that make names known where the tag stands.

        They compile to nothing: there are no targets that the values could be assigned
        to.

        Args:
            body: The body without its holes.
            parameters: The names of the arguments that it takes.
        """
        seen = names_from_outside(body, self._site.whole.assigned, parameters)
        names = [*seen, *self.holes.seen]
        return [nodes.With([], names, [], lineno=self._line)] if names else []

    def print_body(
        self,
        method: str,
        look_up: nodes.Expr,
        body: list[nodes.Node],
        parameters: Sequence[str] = (),
    ) -> list[nodes.Node]:
        """Return the nodes that look a text up, and render the body on a miss.

        They print it as well if there are no holes.

        Args:
            method: The name of the method that renders it.
            look_up: The call that looks it up.
            body: The body without its holes, as it is to be compiled.
            parameters: The names of the arguments that it takes.
        """
        if self._facts.needs_mending:
            mend(self._parser, body)
        kept = keep_names(self._parser, body, self._facts, self._site.variables)
        assigned = self._assignments(kept)
        kind = CallBlockKind.BODY
        if self.holes.lines:
            # What fills the holes needs it, too.
            assigned.append(nodes.Assign(self.found, look_up, lineno=self._line))
            look_up, kind = self.found, CallBlockKind.BODY_WITH_HOLES
        block = self._call_block(method, [look_up], body, parameters)
        finish(block, Part(self._facts, kind=kind))
        return [*assigned, block]

    def print_holes(self, method: str, each: Each | None = None) -> list[nodes.Node]:
        """Return the nodes that print a text with holes.

        Args:
            method: The name of the method that fills the holes.
            each: The head of the loop, if the text is that of rows.
        """
        holes = self.holes
        if not holes.lines:
            return []
        body, names = holes.printed(), [WHICH]
        if each is not None:
            # Few templates have lists.
            from .each import row_parameters, row_unpacking  # noqa: PLC0415

            body = [*row_unpacking(each), *body]
            names += row_parameters(each)
        places = nodes.Const((self._parser.name, tuple(holes.lines.items())))
        block = self._call_block(method, [self.found, places], body, names)
        bound = {*names, *(bound_names(each.unpacking()) if each else ())}
        part = Part(
            holes.facts,
            holes=holes,
            line=self._line,
            bound=frozenset(bound),
            kind=CallBlockKind.HOLES,
        )
        finish(block, part)
        return [*self._assignments(holes.kept), block]

    def _call_block(
        self,
        method: str,
        arguments: list[nodes.Expr],
        body: list[nodes.Node],
        parameters: Sequence[str],
    ) -> nodes.CallBlock:
        """Return the block that calls a method with a body as its `caller`.

        Args:
            method: The name of the method.
            arguments: The arguments of the method, first what was found.
            body: The body.
            parameters: The names of the arguments that the body takes.
        """
        if self._parser.environment.is_async:
            method = f"{method}_async"
        call = self._extension.call_method(method, arguments)
        args = [nodes.Name(name, "param") for name in parameters]
        return nodes.CallBlock(call, args, [], body, lineno=self._line)

    def _assignments(
        self, kept: list[tuple[nodes.Expr, nodes.InternalName]]
    ) -> list[nodes.Node]:
        return [nodes.Assign(new, old, lineno=self._line) for old, new in kept]


def _parse_hole(parser: Parser, line: int, site: Site) -> nodes.Node:
    from .holes import make_hole  # noqa: PLC0415 - few templates have any

    load(parser.environment, HOLE_MARK)
    # Jinja allows a colon at the end of every tag.
    parser.stream.skip_if("colon")
    if parser.stream.current.type != "block_end":
        parser.fail(
            f"{written(parser, 'nocache')} takes no arguments: what stands in it is"
            " rendered for each request.",
            line,
        )
    content = parser.parse_statements(("name:endnocache",), drop_needle=True)
    return make_hole(parser, site, line, content)


def _if_printing(
    parser: Parser, fragment: list[nodes.Node], site: Site, line: int
) -> list[nodes.Node]:
    """Wrap a fragment so that it does nothing where Jinja prints nothing.

    Args:
        parser: The parser of the template.
        fragment: The fragment.
        site: Where its tag stands.
        line: The line of the tag.
    """
    checking: list[nodes.Node] = []
    if site.printing == "never":
        # Compiled for the blocks that may be in it.
        test: nodes.Expr = nodes.Const(None)
    elif site.printing == "unless_extended" and "extends" not in parser.extensions:
        # The test that Jinja writes around the template's own output.
        test = python_expression(parser, "parent_template is None")
    else:
        # Only the compiler knows. So a piece of output is put there, and it is checked
        # whether it was skipped.
        test = parser.free_identifier()
        mark = nodes.Output([nodes.TemplateData("printing")], lineno=line)
        noted = filter_call(None, NOTE_PRINTING, [test])
        checking = [
            nodes.Assign(test, nodes.List([]), lineno=line),
            nodes.FilterBlock([mark], noted, lineno=line),
        ]
    return [*checking, nodes.If(test, fragment, [], [], lineno=line)]
