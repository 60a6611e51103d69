"""Writes the Python code of fragments, so that a hit builds nothing.

The nodes of a fragment are complete without this: any code generator compiles them to a
template that prints the same. But that one builds a macro on each hit, and prints empty
pieces. To avoid this by nodes takes many for each tag, and Jinja goes through all nodes
of a template several times.
"""

from typing import cast

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame

from .parts import CallBlockKind, part_of


class FragmentCodeGenerator(CodeGenerator):
    """Jinja's code generator, but for the call blocks of fragments."""

    def visit_CallBlock(self, node: nodes.CallBlock, frame: Frame) -> None:
        """Write a call block, or what renders a part of a fragment and prints it.

        This is the code for a fragment without holes:

            if not found and found != '':
                def macro(): ...
                caller = Macro(...)
                found = context.call(render, found, caller=caller)
            if found:
                yield found

        With holes, nothing is printed after the body, and the code for the holes has no
        `if` around the call.
        """
        part = part_of(node)
        if part is None or part.kind is None:
            super().visit_CallBlock(node, frame)
            return
        found = cast("nodes.InternalName", node.call.args[0]).name
        if part.kind is CallBlockKind.HOLES:
            # Bodies still need what was found, for the marks of their holes.
            text = self.temporary_identifier()
            self._write_call(node, frame, f"{text} = ")
            self._write_print(node, frame, text)
        elif part.kind is CallBlockKind.BODY_WITH_HOLES:
            self.writeline(f"if not {found}:", node)
            self.indent()
            self._write_call(node, frame)
            self.outdent()
        else:
            self.writeline(f"if not {found} and {found} != '':", node)
            self.indent()
            self._write_call(node, frame, f"{found} = ")
            self.outdent()
            self._write_print(node, frame, found)

    def _write_call(
        self, node: nodes.CallBlock, frame: Frame, assignment: str = ""
    ) -> None:
        """Write the body as a macro, and the call of a method with this macro."""
        macro_frame, macro = self.macro_body(node, frame)
        self.writeline("caller = ")
        self.macro_def(macro, macro_frame)
        self.writeline(assignment, node)
        self.visit_Call(node.call, frame, forward_caller=True)

    def _write_print(self, node: nodes.CallBlock, frame: Frame, text: str) -> None:
        """Write what prints a text, without escaping or finalizing it again."""
        # Nothing empty is printed: a server may take an empty piece of `generate()` for
        # the end of the page.
        self.writeline(f"if {text}:", node)
        self.indent()
        self.simple_write(text, frame, node)
        self.outdent()
