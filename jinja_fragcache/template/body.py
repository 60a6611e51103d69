"""What a fragment's body needs so that it renders the same as without its tag.

A miss renders the body in a function of its own, which Jinja builds as it builds the
body of `{% call %}`. Some things do not work in such a function as they do outside of
it; here they are mended, or refused.
"""

from collections.abc import Iterable, Iterator

from jinja2 import nodes
from jinja2.compiler import find_undeclared
from jinja2.idtracking import VAR_LOAD_RESOLVE, find_symbols
from jinja2.parser import Parser
from jinja2.visitor import NodeTransformer

from jinja_fragcache.render.lookup import INCLUDE

# What Jinja gives every macro anew, and so would hide the surrounding macro's own.
_MACRO_NAMES = ("caller", "kwargs", "varargs")
_PAGE_NAMES = ("self", "super")


def check_loop_control(parser: Parser, body: Iterable[nodes.Node]) -> None:
    """Refuse a `{% break %}` or `{% continue %}` for a loop outside of the body.

    Raises:
        jinja2.TemplateSyntaxError: there is one.
    """
    for node in _loop_control(body):
        name = "break" if isinstance(node, nodes.Break) else "continue"
        start = parser.environment.block_start_string
        end = parser.environment.block_end_string
        parser.fail(
            f"{start} {name} {end} can't leave a cached fragment: what is stored has to"
            f" be whole. Put the loop inside of {start} cache {end}, or the"
            f" {start} {name} {end} in front of it.",
            node.lineno,
        )


def _loop_control(body: Iterable[nodes.Node]) -> Iterator[nodes.Node]:
    for node in body:
        if isinstance(node, nodes.Break | nodes.Continue):
            yield node
        elif isinstance(node, nodes.For):
            # What stands in the loop is the loop's own; its else is outside of it.
            yield from _loop_control(node.else_)
        else:
            yield from _loop_control(node.iter_child_nodes())


def depends_on_page(body: Iterable[nodes.Node]) -> bool:
    """Tell whether the body's text depends on which template extends this one.

    It does if there is a block in it, or if it calls one by `self` or `super`.
    """
    return any(
        isinstance(node, nodes.Block)
        or (isinstance(node, nodes.Name) and node.name in _PAGE_NAMES)
        for top in body
        for node in (top, *top.find_all((nodes.Block, nodes.Name)))
    )


def keep_macro_names(parser: Parser, body: list[nodes.Node]) -> list[nodes.Assign]:
    """Let the body see the `caller`, `kwargs` and `varargs` of the macro around it.

    Returns:
        Assignments to put in front of the body. The body reads what they assign.

    Raises:
        jinja2.TemplateSyntaxError: the body reads one of them and then binds it anew.
    """
    assignments = []
    for name in sorted(find_undeclared(body, _MACRO_NAMES)):
        finder = _OwnNames(name)
        for node in body:
            finder.visit(node)
        if not finder.is_read:
            continue
        if finder.is_bound:
            parser.fail(
                f"A cached fragment can't both read {name!r} and set it. Choose another"
                " name for what is set.",
                finder.lineno,
            )
        kept = parser.free_identifier()
        renaming = _Renaming(name, kept)
        body[:] = [renaming.visit(node) for node in body]
        assignments.append(nodes.Assign(kept, nodes.Name(name, "load")))
    return assignments


def names_from_outside(body: list[nodes.Node]) -> list[nodes.Name]:
    """Give the names that the body takes from the scope in which its tag stands.

    Jinja does not look into a call block for them, so a name that is set behind the
    fragment, in the same scope, would be undefined in it.
    """
    symbols = find_symbols(body)
    names = {name for how, name in symbols.loads.values() if how == VAR_LOAD_RESOLVE}
    return [nodes.Name(name, "load") for name in sorted(names)]


def mend_includes(parser: Parser, body: list[nodes.Node]) -> None:
    """Replace each `{% include ... without context %}` in the body.

    In a function that collects its output, as macros and call blocks do, Jinja 3.1
    compiles one to a `yield`, and what is then printed is a generator's repr.
    """
    mending = _IncludeMending(parser.name)
    body[:] = [mending.visit(node) for node in body]


class _IncludeMending(NodeTransformer):
    def __init__(self, template: str | None) -> None:
        self._template = template

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        if node.with_context:
            return node
        options: list[nodes.Expr] = [
            nodes.Const(self._template),
            nodes.Const(node.ignore_missing),
        ]
        included = nodes.Filter(
            node.template, INCLUDE, options, [], None, None, lineno=node.lineno
        )
        return nodes.FilterBlock([], included, lineno=node.lineno)


class _OwnScope(NodeTransformer):
    """Visits what belongs to the body, and no body of a macro, call or block in it."""

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:
        node.defaults = [self.visit(default) for default in node.defaults]
        return node

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:
        node.call = self.visit(node.call)
        node.defaults = [self.visit(default) for default in node.defaults]
        return node


class _OwnNames(_OwnScope):
    def __init__(self, name: str) -> None:
        self._name = name
        self.is_read = self.is_bound = False
        self.lineno = 0

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        if node.name == self._name:
            self.is_read |= node.ctx == "load"
            if node.ctx != "load":
                self.is_bound = True
                self.lineno = node.lineno
        return node


class _Renaming(_OwnScope):
    def __init__(self, name: str, kept: nodes.InternalName) -> None:
        self._name = name
        self._kept = kept

    def visit_Name(self, node: nodes.Name) -> nodes.Node:
        return self._kept if node.name == self._name else node
