"""What `{% set %}` and `{% with %}` above a tag read, as the template's tokens show it.

By the time the tag's body runs, that has been read, and the body has but a value. So
the guard reads it again on a miss. Only paths are known here, such as `session.user`:
to know what a function reads, it would have to be called again. The conditions around
a `{% set %}` have decided whether it set its name, so they count as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from jinja2.lexer import Token

from jinja_fragcache.render.bodies import LIST_TAG, TAG
from jinja_fragcache.render.tag_guard import EVERYTHING, JOINED

from .body_names import HOLE_TAG, is_variable

_FRAGMENTS = {TAG, LIST_TAG}
_SCOPES = _FRAGMENTS | {
    *("autoescape", "block", "call", "filter", "for", "macro", "with", HOLE_TAG),
}
# The methods of mappings that read one item.
_OF_ITEMS = {"get", "setdefault"}
# What may stand before a text that is looked for `in` a mapping, beside words.
_BEFORE_TEXTS = {"assign", "comma", "lparen", "name"}
_OPENING = ("lparen", "lbracket", "lbrace")
_CLOSING = ("rparen", "rbracket", "rbrace")


class Above(NamedTuple):
    """What a name was set to above a tag.

    Attributes:
        paths: The dotted paths that its expression reads. `EVERYTHING` stands for all
            items of a mapping.
        is_plain: Whether the expression is its one path, and nothing else.
    """

    paths: tuple[str, ...]
    is_plain: bool


_HIDDEN = Above((), is_plain=False)
_Scope = dict[str, Above]


class _Around(NamedTuple):
    """A tag around another one.

    Attributes:
        tag: Its name.
        scope: What is set in it; None for an `{% if %}`, which is no scope.
        conditions: The paths that the conditions of an `{% if %}` read, so far.
    """

    tag: str
    scope: _Scope | None
    conditions: tuple[str, ...] = ()


def set_above(
    tokens: Sequence[Token], tags: Iterable[int], ended: Collection[int]
) -> dict[int, dict[str, Above]]:
    """Return what is set above each cache tag, by the index of the tag's name.

    Args:
        tokens: The tokens of the template.
        tags: The indices of the names of its tags.
        ended: The indices of the names of tags that have an end.
    """
    found: dict[int, dict[str, Above]] = {}
    around = [_Around("", {})]
    for index in tags:
        name = tokens[index].value
        if name in _FRAGMENTS:
            found[index] = {
                each: above for each, above in _visible(around).items() if above.paths
            }
        if name in _SCOPES and index in ended:
            around.append(_Around(name, _bound_by(tokens, index, around)))
        elif name == "if":
            around.append(_Around(name, None, _condition(tokens, index, around)))
        elif name == "elif":
            others = around.pop().conditions
            around.append(
                _Around("if", None, others + _condition(tokens, index, around))
            )
        elif name == "set":
            _set(tokens, index, around)
        elif len(around) > 1 and name == f"end{around[-1].tag}":
            around.pop()
    return found


def told_above(key: str, above: Mapping[str, Above]) -> str:
    """Return the names in a key, and what those tell that were set above the tag.

    Args:
        key: The names, with a space between them.
        above: What they were set to.
    """
    names = key.split()
    for name in key.split():
        mark = JOINED if name.startswith(JOINED) else ""
        root, dot, rest = name.removeprefix(JOINED).partition(".")
        known = above.get(root, _HIDDEN)
        names += [f"{mark}{each}{dot}{rest}" for each in known.paths if known.is_plain]
    return " ".join(names)


def read_above(key: str, body: str, above: Mapping[str, Above]) -> str:
    """Return the paths that were read above the tag for names in its body.

    What stands in the key itself is left out.

    Args:
        key: The names in the key, with a space between them.
        body: The names in the body, likewise.
        above: What they were set to.
    """
    known = {*key.split()}
    names = above.keys() & {*body.split()} - known
    paths = {path for name in names for path in above[name].paths}
    return " ".join(sorted(paths - known))


def _visible(around: Sequence[_Around]) -> _Scope:
    names: _Scope = {}
    for each in around:
        names |= each.scope or {}
    return names


def _bound_by(tokens: Sequence[Token], index: int, around: Sequence[_Around]) -> _Scope:
    """Return what a tag binds in its own scope."""
    if tokens[index].value == "with":
        return _assignments(tokens, index, around)
    if tokens[index].value not in {"for", "macro", "call"}:
        return {}
    # What a loop or a caller gives to its names is not looked at.
    bound: _Scope = {}
    for number in range(index + 1, len(tokens)):
        token = tokens[number]
        if token.type == "block_end" or token.value == "in":
            break
        if token.type == "name":
            bound[token.value] = _HIDDEN
    return bound


def _condition(
    tokens: Sequence[Token], index: int, around: Sequence[_Around]
) -> tuple[str, ...]:
    """Return the paths that the condition of an `{% if %}` or `{% elif %}` reads."""
    end = _end_of(tokens, index)
    paths, _ = _paths(tokens, index + 1, end, _visible(around))
    # Whether a mapping is empty is told by its items.
    return tuple(
        f"{path.removesuffix(f'.{EVERYTHING}')}.{EVERYTHING}" for path in paths
    )


def _set(tokens: Sequence[Token], index: int, around: Sequence[_Around]) -> None:
    """Note what a `{% set %}` sets, in the scope that it is in."""
    assigned = _assignments(tokens, index, around)
    conditions: tuple[str, ...] = ()
    in_branch = False
    for each in reversed(around):
        if each.scope is None:
            in_branch = True
            conditions += each.conditions
            continue
        for name, above in assigned.items():
            known = each.scope.get(name, _HIDDEN) if in_branch else _HIDDEN
            # It may still be what it was before the `{% if %}`.
            paths = (*known.paths, *above.paths, *conditions)
            is_plain = above.is_plain and not in_branch
            each.scope[name] = Above(tuple(dict.fromkeys(paths)), is_plain)
        return


def _assignments(
    tokens: Sequence[Token], index: int, around: Sequence[_Around]
) -> _Scope:
    """Return what the assignments of a tag set, `a = x` or `a = x, b = y`."""
    visible = _visible(around)
    end = _end_of(tokens, index)
    starts = [each for each in range(index, end) if tokens[each].type == "assign"]
    # `namespace(u=...)` and other arguments are no assignments of the tag.
    starts = [each for each in starts if not _depth(tokens[index:each])]
    if not starts:
        # The text of `{% set u %}...{% endset %}`.
        return dict.fromkeys(_names(tokens[index + 1 : end]), _HIDDEN)
    bound: _Scope = {}
    for number, start in enumerate(starts):
        first = index + 1 if number == 0 else start - 1
        after = starts[number + 1] - 2 if number + 1 < len(starts) else end
        paths, is_plain = _paths(tokens, start + 1, after, visible)
        names = _names(tokens[first:start])
        for name in names:
            bound[name] = Above(paths, is_plain and len(names) == 1)
    return bound


def _end_of(tokens: Sequence[Token], index: int) -> int:
    """Return the index of the end of the tag whose name has an index."""
    end = index
    while end + 1 < len(tokens) and tokens[end].type != "block_end":
        end += 1
    return end


def _names(tokens: Sequence[Token]) -> list[str]:
    return [each.value for each in tokens if each.type == "name"]


def _depth(tokens: Sequence[Token]) -> int:
    """Return how many brackets are open behind some tokens."""
    types = [each.type for each in tokens]
    return sum(map(types.count, _OPENING)) - sum(map(types.count, _CLOSING))


def _paths(
    tokens: Sequence[Token], start: int, end: int, visible: Mapping[str, Above]
) -> tuple[tuple[str, ...], bool]:
    """Return the paths in an expression, and whether it is one of them alone."""
    found: dict[str, None] = {}
    is_plain = False
    index = start
    while index < end:
        if not is_variable(tokens, index) or tokens[index - 1].value == "is":
            index += 1
            continue
        path, after = _path(tokens, index)
        is_plain = index == start and after == end
        if after < end and tokens[after].type in {"dot", "pipe"}:
            path = f"{path}.{EVERYTHING}"  # A method, or a filter.
        elif tokens[index - 1].value == "in":
            path = f"{path}.{_looked_for(tokens, index - 1)}"
        root, dot, rest = path.partition(".")
        if root in visible:
            paths = [f"{each}{dot}{rest}" for each in visible[root].paths]
            is_plain = is_plain and visible[root].is_plain
        else:
            paths = [path] if tokens[index + 1].type != "lparen" else []
        found |= dict.fromkeys(paths)
        index = max(after, index + 1)
    is_one = len(found) == 1 and not next(iter(found)).endswith(EVERYTHING)
    return tuple(found), is_plain and is_one


def _looked_for(tokens: Sequence[Token], index: int) -> str:
    """Return the item that is looked for where an `in` has an index."""
    before = index - (2 if tokens[index - 1].value == "not" else 1)
    text = tokens[before]
    is_alone = tokens[before - 1].type in _BEFORE_TEXTS
    return _step(text.value) if text.type == "string" and is_alone else EVERYTHING


def _step(key: str) -> str:
    """Return a key as a step of a path."""
    return key if key.replace("-", "_").isidentifier() else EVERYTHING


def _path(tokens: Sequence[Token], index: int) -> tuple[str, int]:
    """Return the path that begins with a token, and the index of what follows it."""
    steps = [tokens[index].value]
    index += 1
    while True:
        types = [each.type for each in tokens[index : index + 5]]
        values = [each.value for each in tokens[index : index + 5]]
        key = ""
        if types[:2] == ["dot", "name"] and types[2:3] != ["lparen"]:
            key, length = values[1], 2
        elif types[:3] == ["lbracket", "string", "rbracket"]:
            key, length = values[1], 3
        elif _reads_item(values[:2]) and types[2:4] == ["lparen", "string"]:
            # A default and its type stand behind it.
            key, length = values[3], 5 if types[4:] == ["rparen"] else 4
        else:
            return ".".join(steps), index
        index += length
        steps.append(_step(key))
        if steps[-1] == EVERYTHING:
            return ".".join(steps), index


def _reads_item(values: Sequence[str]) -> bool:
    return values[:1] == ["."] and values[-1] in _OF_ITEMS
