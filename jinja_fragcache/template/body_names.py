"""The names that the body of each tag reads, as its template's tokens show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from jinja2.lexer import Token

from jinja_fragcache.render.bodies import LIST_TAG, TAG
from jinja_fragcache.render.tag_guard import BOUND

HOLE_TAG = "nocache"
_TAGS = {TAG, LIST_TAG, HOLE_TAG}
# The words of Jinja's own syntax.
_WORDS = frozenset(
    {
        *(
            "and",
            "autoescape",
            "block",
            "call",
            "context",
            "do",
            "elif",
            "else",
            "extends",
        ),
        *(
            "false",
            "False",
            "filter",
            "for",
            "from",
            "if",
            "ignore",
            "import",
            "in",
            "is",
        ),
        *(
            "include",
            "macro",
            "missing",
            "none",
            "None",
            "not",
            "or",
            "pluralize",
            "raw",
        ),
        *("recursive", "required", "scoped", "set", "trans", "true", "True", "with"),
        "without",
    }
)
# The tags that give names a value, with what ends these in their heads.
_BINDING = {
    **dict.fromkeys(("from", "import", "macro", "with"), "%}"),
    "call": ")",
    "for": "in",
    LIST_TAG: "in",
    "set": "=",
}
# A name after these belongs to what is before it, or names a filter.
_AFTER = {"dot", "pipe"}


def body_names(tokens: Sequence[Token], tags: Iterable[int]) -> dict[int, str]:
    """Return the names in the body of each cache tag, by the index of the tag's name.

    What is in a hole is not in the body. What a macro of the template reads is, where
    the body names the macro: Jinja looks a name up once for both, maybe before the
    body begins. The names of attributes, filters and arguments are left out; some
    others that no variable has may be there.

    Args:
        tokens: The tokens of the template.
        tags: The indices of the names of its tags.

    Returns:
        For each tag that has an end, the names in order, with a space between them.
        `BOUND` stands before those that a tag of the template gives a value.
    """
    found: dict[int, set[str]] = {}
    opened: list[tuple[int, str, set[str]]] = []
    in_tag = False
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        if token.type != "name":
            in_tag = in_tag and token.type != "block_end"
            continue
        if before.type == "block_begin":
            name = token.value.removeprefix("end")
            in_tag = token.value in _TAGS
            if in_tag:
                opened.append((index, name, set()))
            elif name in _TAGS and opened and opened[-1][1] == name:
                start, _, names = opened.pop()
                found[start] = names
                if opened and name != HOLE_TAG:
                    opened[-1][2].update(names)
            continue
        if not opened or not is_variable(tokens, index):
            continue
        # What a tag names in its arguments is read by the body around it.
        depth = -2 if in_tag else -1
        if len(opened) >= -depth:
            opened[depth][2].add(token.value)
    macros = {}
    if any(tokens[index].value == "macro" for index in tags):
        macros = _macro_names(tokens)
    bound = _bound_names(tokens, tags) if found else set()
    return {
        index: " ".join(
            f"{BOUND}{name}" if name in bound else name
            for name in sorted(_with_macros(names, macros))
        )
        for index, names in found.items()
    }


def _bound_names(tokens: Sequence[Token], tags: Iterable[int]) -> set[str]:
    """Return the names that loops, macros and other tags of a template give a value."""
    found: set[str] = set()
    for index in tags:
        tag = tokens[index].value
        end, at = _BINDING.get(tag, ""), index + 1
        if tag == "call" and tokens[at].type != "lparen":
            continue  # The block that it passes has no parameters.
        while end and tokens[at].type != "block_end" and tokens[at].value != end:
            is_target = tag != "with" or tokens[at + 1].type == "assign"
            if tokens[at].type == "name" and is_target:
                found.add(tokens[at].value)
            at += 1
    return found


def is_variable(tokens: Sequence[Token], index: int) -> bool:
    """Return whether a token may be the name of a variable that is read there.

    Args:
        tokens: The tokens of the template.
        index: The index of the token.
    """
    token = tokens[index]
    if (
        token.type != "name"
        or token.value in _WORDS
        or tokens[index - 1].type in _AFTER
    ):
        return False
    return index + 1 == len(tokens) or tokens[index + 1].type != "assign"


def _macro_names(tokens: Sequence[Token]) -> dict[str, set[str]]:
    """Return the names that each macro of a template reads, without its parameters."""
    found: dict[str, set[str]] = {}
    opened: list[tuple[set[str], set[str]]] = []
    in_head = False
    for index, (before, token) in enumerate(pairwise(tokens), start=1):
        if before.type == "block_begin" and token.value in {"macro", "endmacro"}:
            in_head = token.value == "macro"
            if in_head and index + 1 < len(tokens):
                opened.append((found.setdefault(tokens[index + 1].value, set()), set()))
            elif opened:
                names, parameters = opened.pop()
                names -= parameters
        elif in_head and token.type == "block_end":
            in_head = False
        elif opened and in_head and before.type in {"lparen", "comma"}:
            opened[-1][1].add(token.value)
        elif opened and is_variable(tokens, index):
            opened[-1][0].add(token.value)
    return found


def _with_macros(names: set[str], macros: Mapping[str, set[str]]) -> set[str]:
    """Return names, and what the macros among them read."""
    every = set(names)
    left = [name for name in names if name in macros]
    while left:
        read = macros[left.pop()] - every
        every |= read
        left += [name for name in read if name in macros]
    return every
