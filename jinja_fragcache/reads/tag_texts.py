"""The texts of a tag's arguments, and the tag with more key values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import nodes

from .arguments import OPTIONS, Arguments
from .writing import write

if TYPE_CHECKING:
    from .heads import Each

_POSITIONAL = {"timeout", "name", "vary_on"}


class TagTexts(NamedTuple):
    """The arguments of a cache tag, as they are written.

    Attributes:
        head: The head of the loop of a `cache_each`, else "".
        timeout_text: The timeout, None if it has none.
        name_text: The name, None if it has none.
        key_texts: The key values, None if they come from one expression.
        vary_on_text: The expression that they come from.
        options: The other options, each with its value.
    """

    head: str
    timeout_text: str | None
    name_text: str | None
    key_texts: tuple[str, ...] | None
    vary_on_text: str
    options: tuple[tuple[str, str], ...]


def tag_texts(arguments: Arguments, each: "Each | None" = None) -> TagTexts:
    """Return the texts of a tag.

    Args:
        arguments: Its arguments.
        each: The head of its loop, None if it has none.
    """
    vary_on = arguments.vary_on
    key_texts = None
    if isinstance(vary_on, nodes.List | nodes.Tuple):
        key_texts = tuple(map(write, vary_on.items))
    elif vary_on == nodes.Const(None):
        key_texts = ()
    head = ""
    if each:
        test = f" if {write(each.test)}" if each.test else ""
        head = f"{_target(each.target)} in {write(each.iterable)}{test}"
    return TagTexts(
        head,
        write(arguments.timeout) if arguments.timeout else None,
        write(arguments.name) if arguments.name else None,
        key_texts,
        write(vary_on),
        _options(arguments),
    )


def tag_words(
    kind: str, texts: TagTexts, added: Sequence[str], *, is_auto: bool
) -> str:
    """Return what stands between the delimiters of a tag with more key values.

    Args:
        kind: `cache` or `cache_each`.
        texts: The texts of the tag.
        added: The key values that it lacks.
        is_auto: Whether what the body reads is a part of the key.
    """
    values = [*(texts.key_texts or ()), *added]
    parts = [part for part in (texts.timeout_text, texts.name_text) if part is not None]
    options = [f"{name}={value}" for name, value in texts.options]
    if is_auto:
        options.insert(0, 'vary_on="auto"')
        if texts.name_text is None and values:
            # Beside it, other key values stand by position, after a name.
            parts.append('"name"')
    if parts and texts.timeout_text is None:
        parts.insert(0, "none")
    if texts.key_texts is None:
        extra = f" + [{', '.join(added)}]" if added else ""
        options.insert(0, f"vary_on={texts.vary_on_text}{extra}")
    elif texts.name_text is None and values and not is_auto:
        options.insert(0, f"vary_on=[{', '.join(values)}]")
    else:
        parts += values
    arguments = ", ".join([*([texts.head] if texts.head else []), *parts, *options])
    return f"{kind} {arguments}".rstrip()


def _options(arguments: Arguments) -> tuple[tuple[str, str], ...]:
    names = (name for name in OPTIONS if name not in _POSITIONAL)
    given = ((name, getattr(arguments, name)) for name in names)
    return tuple((name, write(value)) for name, value in given if value is not None)


def _target(target: nodes.Expr) -> str:
    if isinstance(target, nodes.Tuple):
        return ", ".join(map(write, target.items))
    return write(target)
