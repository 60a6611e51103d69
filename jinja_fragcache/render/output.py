"""What compiled templates call outside of tags: about output, and other templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import (
    Environment,
    Template,
    TemplateNotFound,
    pass_context,
    pass_environment,
)
from jinja2.runtime import Context

from jinja_fragcache.engine.dependencies import current_dependencies

from .functions import FunctionName
from .sources import MISSING_TEMPLATE, sources_of

NOTE_PRINTING = FunctionName("note_printing")
INCLUDE = FunctionName("include_without_context")
#: Prints a text. A filter block writes what its filter returns without escaping or
#: finalizing it again.
TEXT = FunctionName("text")
NOTE_TEMPLATE = FunctionName("note_template")


def note_printing(text: str, printing: list[bool]) -> str:
    """Append True to `printing` if Jinja prints output where the filter stands.

    Args:
        text: A piece of template text, which Jinja skips outside of blocks in a
            template that extends another.
        printing: An empty list.
    """
    if text:
        printing.append(True)
    return ""


@pass_context
def note_template(context: Context, template: Any, parent: str | None = None) -> Any:
    """Note which template an expression names, and return the expression's value.

    Args:
        context: The context of the template that is being rendered.
        template: A template, a name, or several names of which the first that exists is
            used.
        parent: The name of the template in which the expression stands.
    """
    dependencies = current_dependencies()
    if dependencies is None:
        return template
    names = template if isinstance(template, (list, tuple)) else [template]
    environment = context.environment
    sources = sources_of(environment)
    for each in names:
        name = each.name if isinstance(each, Template) else each
        if not isinstance(name, str):
            continue
        if parent is not None and not isinstance(each, Template):
            name = environment.join_path(name, parent)
        found = sources.digest_of(name)
        dependencies.include({}, templates={name: found})
        if found != MISSING_TEMPLATE:
            break
    return template


@pass_environment
def include_without_context(
    environment: Environment,
    template: Any,
    parent: str | None,
    ignore_missing: bool,
) -> str:
    """Return what `{% include template without context %}` prints.

    Args:
        environment: The template's.
        template: A template, a name, or several names of which the first that exists is
            used.
        parent: The name of the template in which the tag stands.
        ignore_missing: Whether the template may be missing.

    Raises:
        jinja2.TemplateNotFound: If the template is missing and must not be.
    """
    try:
        found = environment.get_or_select_template(template, parent)
    except TemplateNotFound:
        if ignore_missing:
            return ""
        raise
    return str(found.module)


OUTPUT_FUNCTIONS: dict[FunctionName, Callable[..., Any]] = {
    NOTE_PRINTING: note_printing,
    TEXT: str,
    INCLUDE: include_without_context,
    NOTE_TEMPLATE: note_template,
}
