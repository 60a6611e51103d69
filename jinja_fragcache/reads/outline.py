"""The outline of a template: what it reads, binds and names, without its text.

An outline is made of plain values, so that it can be kept in a file between two runs.
"""

from typing import Any, NamedTuple

from .paths import Steps
from .tag_texts import TagTexts

#: Begins the name of a filter in a path.
FILTER = "|"
#: The path of all names that there are, which an extension's tag may ask for.
EVERYTHING = "*"
#: The part of a value that a test of it tells: `if user`, `user is none`.
TRUTH = "?"


class Read(NamedTuple):
    """One place where an expression reads a name.

    Attributes:
        path: The name, and the attributes and constant items that are read of it:
            `request.args.get("page")` is `("request", "args", "page")`. A filter is a
            name that begins with `|`.
        line: The line.
        is_called: Whether the value is called.
        is_partial: Whether only a part of the value counts: its truth or length.
        is_external: Whether it is a call of `url_for` whose result contains the host.
        part: The expression that tells less than the value, as it is written: for
            `name` in `name|length % 2`, all of it. `TRUTH` if the value is only tested,
            "" if all of it counts.
        is_opaque: Whether that is the result of a function, which may tell all.
        steps: The attributes and constant items at the start of the path, up to what is
            used as a whole. For `post.author.name.upper()`, they lead to `name`.
        is_chosen: Whether the value counts only where another one is true, as `lang`
            does in `lang if user`.
    """

    path: tuple[str, ...]
    line: int
    is_called: bool = False
    is_partial: bool = False
    is_external: bool = False
    part: str = ""
    is_opaque: bool = False
    steps: Steps = ()
    is_chosen: bool = False


Reads = tuple[Read, ...]
Templates = tuple[str, ...]


class Tag(NamedTuple):
    """A cache tag.

    Attributes:
        kind: `cache` or `cache_each`.
        line: Its line.
        position: 1 for the first cache tag on its line, 2 for the next.
        name: Its name, None if it has none or the name is no constant.
        is_name_variable: Whether the name is no constant.
        timeout: Its timeout in seconds, None if it has none or it is no constant.
        key: What the key, the name and the version read.
        unless: What the option `unless` reads.
        allow: What the option `allow` names.
        head: The head of the loop of a `cache_each`, as it is written.
        timeout_text: The timeout as it is written, like the following.
        name_text: The name.
        key_texts: The key values, None if they come from one expression.
        vary_on_text: The expression that they come from.
        options: The other options, each with its value.
        body: Digest of the body.
        is_auto: Whether what the body reads is a part of the key.
    """

    kind: str
    line: int
    position: int
    name: str | None
    is_name_variable: bool
    timeout: float | None
    key: Reads
    unless: Reads
    allow: tuple[str, ...]
    head: str
    timeout_text: str | None
    name_text: str | None
    key_texts: tuple[str, ...] | None
    vary_on_text: str
    options: tuple[tuple[str, str], ...]
    body: str
    is_auto: bool

    @property
    def texts(self) -> TagTexts:
        """The arguments, as they are written."""
        return TagTexts(*(getattr(self, name) for name in TagTexts._fields))


class Use(NamedTuple):
    """Reads whose values are printed or tested."""

    reads: Reads


class Bind(NamedTuple):
    """`{% set %}`, or one assignment of `{% with %}`.

    Attributes:
        names: The names that get a value.
        reads: What the value is made from.
        body: The body of a `{% set %}` block.
        is_added: Whether it sets an attribute of a namespace, which keeps its others.
        line: The line.
    """

    names: tuple[str, ...]
    reads: Reads
    body: "tuple[Statement, ...]"
    is_added: bool
    line: int


class Branch(NamedTuple):
    """`{% if %}` with all its branches, which are no scopes."""

    reads: Reads
    bodies: "tuple[tuple[Statement, ...], ...]"


class Loop(NamedTuple):
    """`{% for %}`, or the loop of a `cache_each`."""

    names: tuple[str, ...]
    reads: Reads
    test: Reads
    body: "tuple[Statement, ...]"
    else_: "tuple[Statement, ...]"
    line: int


class Group(NamedTuple):
    """Statements in a scope of their own."""

    body: "tuple[Statement, ...]"


class Macro(NamedTuple):
    """`{% macro %}`. The reads are those of the defaults of its arguments."""

    name: str
    arguments: tuple[str, ...]
    reads: Reads
    body: "tuple[Statement, ...]"
    line: int


class CallBlock(NamedTuple):
    """`{% call %}`. The reads are those of the call."""

    arguments: tuple[str, ...]
    reads: Reads
    body: "tuple[Statement, ...]"
    line: int


class Include(NamedTuple):
    """`{% include %}`.

    Attributes:
        templates: The templates that it may name.
        is_known: Whether it can't name others.
        reads: What the expression for the name reads.
        with_context: Whether the template sees the context.
        line: The line.
    """

    templates: Templates
    is_known: bool
    reads: Reads
    with_context: bool
    line: int


class Import(NamedTuple):
    """`{% import %}` and `{% from %}`.

    Attributes:
        templates: The templates that it may name.
        is_known: Whether it can't name others.
        reads: What the expression for the name reads.
        target: The name of the module, None for `{% from %}`.
        names: The names that `{% from %}` imports, each with the name that it gets.
        with_context: Whether macros see the context.
        line: The line.
    """

    templates: Templates
    is_known: bool
    reads: Reads
    target: str | None
    names: tuple[tuple[str, str], ...]
    with_context: bool
    line: int


class Block(NamedTuple):
    """`{% block %}`."""

    name: str
    body: "tuple[Statement, ...]"
    is_scoped: bool


class Fragment(NamedTuple):
    """A cache tag with its body."""

    tag: Tag
    body: "tuple[Statement, ...]"


class Hole(NamedTuple):
    """`{% nocache %}`."""

    body: "tuple[Statement, ...]"


Statement = (
    Use
    | Bind
    | Branch
    | Loop
    | Group
    | Macro
    | CallBlock
    | Include
    | Import
    | Block
    | Fragment
    | Hole
)


class Outline(NamedTuple):
    """What is known of a template.

    Attributes:
        body: Its statements.
        tags: Its cache tags, in their order.
        blocks: All its blocks.
        extends: The templates that it may extend, None if it extends none. Empty if
            the name is an expression.
        extends_line: The line of what it extends, if that may be a template that is
            none of these; else 0.
        names: The names that it reads outside of keys.
        identified: The names of which it reads what identifies an object, as `post` in
            `post.id`.
    """

    body: tuple[Statement, ...] = ()
    tags: tuple[Tag, ...] = ()
    blocks: tuple[Block, ...] = ()
    extends: Templates | None = None
    extends_line: int = 0
    names: tuple[str, ...] = ()
    identified: tuple[str, ...] = ()


class Broken(NamedTuple):
    """A template that can't be parsed."""

    line: int
    message: str


_CLASSES: dict[str, Any] = {
    each.__name__: each
    for each in (
        *(Read, Tag, Use, Bind, Branch, Loop, Group, Macro, CallBlock, Include, Import),
        *(Block, Fragment, Hole, Outline, Broken),
    )
}


def to_plain(value: Any) -> Any:
    """Return a value of an outline as lists and constants, which JSON can hold.

    An object is a list that begins with the name of its class, and a tuple one that
    begins with None.
    """
    if not isinstance(value, tuple):
        return value
    kind = None if type(value) is tuple else type(value).__name__
    return [kind, *map(to_plain, value)]


def from_plain(value: Any) -> Any:
    """Return the value that `to_plain` was called on.

    Raises:
        (LookupError, TypeError): If there is none.
    """
    if not isinstance(value, list):
        return value
    content = map(from_plain, value[1:])
    kind = value[0]
    return tuple(content) if kind is None else _CLASSES[kind](*content)
