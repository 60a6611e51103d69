"""Writes the Python code of fragments, so that a hit builds nothing.

It also notes the constants of a template that tell what it will ask its cache for.

The nodes of a fragment are complete without this: any code generator compiles them to a
template that prints the same. But that one builds a macro on each hit, and prints empty
pieces. To avoid this by nodes takes many for each tag, and Jinja goes through all nodes
of a template several times.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

from jinja_fragcache.render.autoescape import IS_ESCAPED
from jinja_fragcache.render.functions import (
    ADD_ROW_WITH_OPTIONS,
    ADD_TO_ROWS,
    HOLE_MARK,
    HOLE_MARKS,
    ITEMS,
    NOTE_HOLE,
    ROWS,
    ROWS_OF_ONE_VALUE,
    ROWS_WITH_OPTIONS,
    UNAVAILABLE,
    FunctionName,
)
from jinja_fragcache.render.given_keys import GivenKey
from jinja_fragcache.render.lookup import (
    FRAGMENT,
    FRAGMENT_OF_ONE_VALUE,
    FRAGMENT_OF_PARTS,
    NAMED_FRAGMENT,
)
from jinja_fragcache.render.options import FRAGMENT_WITH_OPTIONS, TAGGED_FRAGMENT
from jinja_fragcache.render.renderings import (
    CONSTANT_KEYS,
    CONSTANT_TEMPLATES,
    GIVEN_KEYS,
)

from .given_keys import given_key
from .parts import LEAVES, CallBlockKind, part_of

# What is passed first to functions whose calls are never constants.
_LOOK_UPS: dict[str, str] = {
    FRAGMENT: "context, ",
    FRAGMENT_OF_ONE_VALUE: "context, ",
    FRAGMENT_OF_PARTS: "context, ",
    NAMED_FRAGMENT: "context, ",
    FRAGMENT_WITH_OPTIONS: "context, ",
    TAGGED_FRAGMENT: "context, ",
    ROWS: "context, ",
    ROWS_OF_ONE_VALUE: "context, ",
    ROWS_WITH_OPTIONS: "environment, ",
}
_NOT_AWAITED: dict[str, str] = {
    ADD_ROW_WITH_OPTIONS: "context, ",
    HOLE_MARK: "",
    HOLE_MARKS: "",
    NOTE_HOLE: "context, ",
    UNAVAILABLE: "context, ",
}


class FragmentCodeGenerator(CodeGenerator):
    """Jinja's code generator, but for the call blocks of fragments."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._keys: dict[str, None] = {}
        self._given: dict[GivenKey, None] = {}
        self._templates: dict[str, None] = {}
        self._is_in_key = False
        self._passed: nodes.Expr | None = None
        # The names of what the module finds once in its environment.
        self._found: dict[str, str] = {}

    def visit_Template(self, node: nodes.Template, frame: Frame | None = None) -> None:
        """Write a template, what it finds once, and what `render.renderings` reads."""
        super().visit_Template(node, frame)
        for expression, name in self._found.items():
            self.writeline(f"{name} = {expression}")
        self.writeline(f"{CONSTANT_KEYS} = {tuple(self._keys)!r}")
        self.writeline(f"{GIVEN_KEYS} = {tuple(self._given)!r}")
        self.writeline(f"{CONSTANT_TEMPLATES} = {tuple(self._templates)!r}")

    def pull_dependencies(self, body: Iterable[nodes.Node]) -> None:
        """Write what finds the filters and tests that some nodes use.

        Those of `render` are found once, and always. For others, Jinja also writes a
        function that raises an error in their place.
        """
        own, others = _filters_and_tests(body)
        for name in sorted(own):
            found = self._find_once(f"environment.filters[{name!r}]")
            if self.defer_init:
                self.writeline(f"{(local := self.temporary_identifier())} = {found}")
                found = local
            self.filters[name] = found
        super().pull_dependencies(others)

    def visit_Filter(self, node: nodes.Filter, frame: Frame) -> None:
        """Write a filter. If it looks a fragment up, note the key."""
        if node.name is IS_ESCAPED:
            self._write_is_escaped(frame)
            return
        name = node.name
        if name is FRAGMENT or name is TAGGED_FRAGMENT or name is FRAGMENT_WITH_OPTIONS:
            _note_texts(self._keys, node.node)
        given = given_key(node)
        if given is not None:
            self._given[given] = None
        if node.name in _LOOK_UPS:
            self._write_look_up(node, frame)
        elif node.name in _NOT_AWAITED:
            self._write_function_call(node, frame, _NOT_AWAITED[node.name])
        elif node.name is ITEMS and not self.environment.is_async:
            self._write_function_call(node, frame, "")
        elif node.name is ADD_TO_ROWS:
            self._write_row(node, frame)
        else:
            super().visit_Filter(node, frame)

    def visit_Assign(self, node: nodes.Assign, frame: Frame) -> None:
        """Write an assignment. Ours set no names of the template."""
        if not isinstance(node.target, nodes.InternalName):
            super().visit_Assign(node, frame)
            return
        self._write_found(node.target.name, cast("nodes.Expr", node.node), node, frame)

    def visit_FilterBlock(self, node: nodes.FilterBlock, frame: Frame) -> None:
        """Write a filter block. That of a function without a body prints a text."""
        if node.body or node.filter.name not in _NOT_AWAITED:
            super().visit_FilterBlock(node, frame)
            return
        self.start_write(frame, node)
        self.visit(node.filter, frame)
        self.end_write(frame)

    def visit_Getattr(self, node: nodes.Getattr, frame: Frame) -> None:
        """Write the read of an attribute. In a key, no text or number is awaited."""
        if self._is_in_key:
            self._write_read("getattr", node, nodes.Const(node.attr), frame)
        else:
            super().visit_Getattr(node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:
        """Write the read of an item, as `visit_Getattr` does that of an attribute."""
        if self._is_in_key and not isinstance(node.arg, nodes.Slice):
            self._write_read("getitem", node, node.arg, frame)
        else:
            super().visit_Getitem(node, frame)

    def visit_Include(self, node: nodes.Include, frame: Frame) -> None:
        """Write an include, and note which template it names."""
        _note_texts(self._templates, node.template)
        super().visit_Include(node, frame)

    def visit_Extends(self, node: nodes.Extends, frame: Frame) -> None:
        """Write `extends`, and note which template it names."""
        _note_texts(self._templates, node.template)
        super().visit_Extends(node, frame)

    def visit_Import(self, node: nodes.Import, frame: Frame) -> None:
        """Write an import, and note which template it names."""
        _note_texts(self._templates, node.template)
        super().visit_Import(node, frame)

    def visit_FromImport(self, node: nodes.FromImport, frame: Frame) -> None:
        """Write an import of names, and note which template it names."""
        _note_texts(self._templates, node.template)
        super().visit_FromImport(node, frame)

    def visit_CallBlock(self, node: nodes.CallBlock, frame: Frame) -> None:
        """Write a call block, or what renders a part of a fragment and prints it.

        This is the code for a fragment without holes:

            found = look_up()
            if found:
                yield found
            elif found != '':
                def macro(): ...
                found = render(found, caller=macro)
                if found:
                    yield found

        With holes, nothing is printed after the body, and the code for the holes has no
        `if` around the call. Both read what was found, so another node assigns it.
        """
        part = part_of(node)
        if part is None or part.kind is None:
            super().visit_CallBlock(node, frame)
            return
        given = node.call.args[0]
        if part.kind is CallBlockKind.BODY:
            found = self.temporary_identifier()
            self._write_found(found, given, node, frame)
            self._write_print(node, frame, found)
            self.writeline(f"elif {found} != '':", node)
            self.indent()
            self._write_call(node, frame, found, f"{found} = ")
            self._write_print(node, frame, found)
            self.outdent()
            return
        found = cast("nodes.InternalName", given).name
        if part.kind is CallBlockKind.HOLES:
            # Bodies still need what was found, for the marks of their holes.
            text = self.temporary_identifier()
            self._write_call(node, frame, found, f"{text} = ")
            self._write_print(node, frame, text)
        else:
            self.writeline(f"if not {found}:", node)
            self.indent()
            self._write_call(node, frame, found)
            self.outdent()

    def _write_is_escaped(self, frame: Frame) -> None:
        """Write whether the template's text is escaped in this place."""
        if frame.eval_ctx.volatile:
            self.write("(not not context.eval_ctx.autoescape)")
        else:
            self.write(repr(bool(frame.eval_ctx.autoescape)))

    def _write_found(
        self, found: str, value: nodes.Expr, node: nodes.Node, frame: Frame
    ) -> None:
        """Write the assignment of a value. What a look-up returns may be awaitable.

        Jinja writes `auto_await`, a coroutine, around each filter in an async template.

        Args:
            found: The variable.
            value: The value.
            node: What it is assigned for.
            frame: Where that stands.
        """
        self.writeline(f"{found} = ", node)
        self.visit(value, frame)
        is_async = self.environment.is_async
        if is_async and isinstance(value, nodes.Filter) and value.name in _LOOK_UPS:
            self.writeline(f"if {found}.__class__ is not str:", node)
            self.indent()
            self.writeline(f"{found} = await auto_await({found})", node)
            self.outdent()

    def _write_look_up(self, node: nodes.Filter, frame: Frame) -> None:
        """Write the call of a filter that is never a constant; see `_write_found`.

        Jinja goes through all nodes of a filter to see whether it is a constant.
        """
        # The look-up awaits its only value itself.
        of_one_value = node.name is FRAGMENT_OF_ONE_VALUE
        self._passed = node.args[-1] if of_one_value else None
        self._write_function_call(node, frame, _LOOK_UPS[node.name])
        self._passed = None

    def _write_function_call(
        self, node: nodes.Filter, frame: Frame, first: str
    ) -> None:
        """Write the call of a function of `render`.

        Args:
            node: The call.
            frame: Where it stands.
            first: What is written in front of its arguments.
        """
        self.write(f"{self.filters[node.name]}({first}")
        around, self._is_in_key = self._is_in_key, True
        self.visit(cast("nodes.Expr", node.node), frame)
        self.signature(node, frame)
        self._is_in_key = around
        self.write(")")

    def _write_row(self, node: nodes.Filter, frame: Frame) -> None:
        """Write a call that adds to rows. It returns nothing to await."""
        around, self._is_in_key = self._is_in_key, True
        self.visit(cast("nodes.Expr", node.node), frame)
        self.write(".append(")
        self.visit(node.args[0], frame)
        self.write(")")
        self._is_in_key = around

    def _write_read(
        self,
        method: str,
        node: nodes.Getattr | nodes.Getitem,
        name: nodes.Expr,
        frame: Frame,
    ) -> None:
        """Write the read of an attribute or item that is awaited only if it may be.

        Jinja writes `auto_await`, a coroutine, around each of them in an async
        template. And it looks the method up each time: two fifths of the read.
        """
        awaits = self.environment.is_async and node is not self._passed
        found = self.temporary_identifier() if awaits else ""
        if found:
            self.write(f"({found} if ({found} := ")
        self.write(f"{self._find_once(f'environment.{method}')}(")
        self.visit(node.node, frame)
        self.write(", ")
        self.visit(name, frame)
        self.write(")")
        if found:
            self.write(f").__class__ is str or {found}.__class__ is int")
            self.write(f" else await auto_await({found}))")

    def _find_once(self, expression: str) -> str:
        """Return the name of what the module finds once, by an expression."""
        if self.defer_init:
            # The module is run before it has an environment.
            return expression
        if expression not in self._found:
            self._found[expression] = self.temporary_identifier()
        return self._found[expression]

    def _write_call(
        self, node: nodes.CallBlock, frame: Frame, found: str, assignment: str = ""
    ) -> None:
        """Write the body as a function, and the call of a method with this function.

        A `Macro` around it would bind names that bodies do not read, and `context.call`
        would ask what the method is. Together that takes longer than a look-up.
        """
        self._write_function(node, frame)
        method = cast("nodes.ExtensionAttribute", node.call.node)
        extension = f"environment.extensions[{method.identifier!r}]"
        awaits = "await " if self.environment.is_async else ""
        self.writeline(f"{assignment}{awaits}{extension}.{method.name}({found}", node)
        for argument in node.call.args[1:]:
            self.write(", ")
            self.visit(argument, frame)
        self.write(", caller=macro)")

    def _write_function(self, node: nodes.CallBlock, frame: Frame) -> None:
        """Write a body as a function that returns its text.

        Jinja's `macro_body` also goes through the body to see whether it reads
        `caller`, `kwargs` or `varargs`, at each level again, and checks arguments that
        may be missing.
        """
        frame = frame.inner()
        frame.require_output_check = False
        frame.symbols.analyze_node(node)
        parameters = ", ".join(frame.symbols.ref(each.name) for each in node.args)
        self.writeline(f"{self.func('macro')}({parameters}):", node)
        self.indent()
        self.buffer(frame)
        self.enter_frame(frame)
        self.blockvisit(node.body, frame)
        self.return_buffer_contents(frame, force_unescaped=True)
        self.leave_frame(frame, with_python_scope=True)
        self.outdent()

    def _write_print(self, node: nodes.CallBlock, frame: Frame, text: str) -> None:
        """Write what prints a text, without escaping or finalizing it again."""
        # Nothing empty is printed: a server may take an empty piece of `generate()` for
        # the end of the page.
        self.writeline(f"if {text}:", node)
        self.indent()
        self.simple_write(text, frame, node)
        self.outdent()


def _note_texts(noted: dict[str, None], node: nodes.Node | None) -> None:
    """Add the text that a node is to those that were noted, if it is one."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        noted[node.value] = None


def _filters_and_tests(
    body: Iterable[nodes.Node],
) -> tuple[set[FunctionName], list[nodes.Node]]:
    """Return what the nodes of a function use, without its `{% block %}`s.

    Returns:
        The filters that are functions of `render`, but for `IS_ESCAPED`, which is
        never called; and a node for each other filter and for each test.
    """
    filters: set[str] = set()
    tests: set[str] = set()
    waiting = [*body]
    while waiting:
        node = waiting.pop()
        kind = type(node)
        if kind in LEAVES or kind is nodes.Block:
            continue
        if isinstance(node, nodes.Filter):
            filters.add(node.name)
        elif isinstance(node, nodes.Test):
            tests.add(node.name)
        waiting.extend(node.iter_child_nodes())
    own = {name for name in filters if isinstance(name, FunctionName)}
    others: list[nodes.Node] = [
        nodes.Filter(None, name, [], [], None, None) for name in filters - own
    ]
    others += [nodes.Test(None, name, [], [], None, None) for name in tests]
    return own - {IS_ESCAPED}, others
