"""Comments that ignore findings: `{# fragcache: ignore[FC001] the reason #}`."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja2 import Environment

from .findings import Finding
from .rules import RULES

_IGNORE = re.compile(r"ignore\s*\[([^\]]*)\]\s*(.*)", re.DOTALL)
_CODES = re.compile(r"[\s,]+")
_SHOWN = "ignore[FC001] reason"


@dataclass(slots=True)
class Ignore:
    """A comment that ignores findings.

    Attributes:
        line: The line in which it ends.
        codes: The rules that it ignores.
        wrong: Why it counts for nothing, "" if it counts.
        used: The rules of which it has ignored a finding.
    """

    line: int
    codes: tuple[str, ...] = ()
    wrong: str = ""
    used: set[str] = field(default_factory=set)


def find_ignores(source: str, environment: Environment) -> list[Ignore]:
    """Return the comments of a template that ignore findings."""
    if "fragcache:" not in source:
        return []
    start = re.escape(environment.comment_start_string)
    end = re.escape(environment.comment_end_string)
    comment = re.compile(rf"{start}[-+]?\s*fragcache:\s*(.*?)\s*[-+]?{end}", re.DOTALL)
    return [
        _read(found[1], source.count("\n", 0, found.end()) + 1, environment)
        for found in comment.finditer(source)
    ]


def _read(text: str, line: int, environment: Environment) -> Ignore:
    start, end = environment.comment_start_string, environment.comment_end_string
    write = f"Write {start} fragcache: {_SHOWN} {end}."
    found = _IGNORE.fullmatch(text)
    if found is None:
        return Ignore(line, wrong=f"The comment says nothing that is known. {write}")
    codes = tuple(code.upper() for code in _CODES.split(found[1]) if code)
    unknown = [code for code in codes if code not in RULES]
    if unknown or not codes:
        named = f"There is no rule {unknown[0]!r}." if unknown else "It names no rule."
        return Ignore(line, wrong=f"{named} {write}")
    if not found[2]:
        return Ignore(line, wrong=f"The reason is missing. {write}")
    return Ignore(line, codes)


def apply(
    findings: Iterable[Finding], ignores: list[Ignore], active: Iterable[str]
) -> Iterator[Finding]:
    """Leave out the findings of one template that its comments ignore.

    A comment counts for its own line, and for the next one if nothing on its own line
    is meant.

    Args:
        findings: The findings.
        ignores: The comments.
        active: The rules that are looked for.

    Yields:
        The other findings, and one for each comment that ignores nothing.
    """
    remaining = [*findings]
    for offset in (0, 1):
        for ignore in ignores:
            line = ignore.line + offset
            open_ = set(ignore.codes) - ignore.used
            hit = {each for each in remaining if each.line == line} & {
                each for each in remaining if each.code in open_
            }
            ignore.used |= {each.code for each in hit}
            remaining = [each for each in remaining if each not in hit]
    yield from remaining
    for ignore in ignores:
        yield from _unused(ignore, set(active))


def _unused(ignore: Ignore, active: set[str]) -> Iterator[Finding]:
    told = ignore.wrong
    unused = [code for code in ignore.codes if code in active - ignore.used]
    if unused:
        told = f"The comment ignores {', '.join(unused)}, which is not found here."
    if told:
        yield Finding("", ignore.line, "FC013", "", "", told)
