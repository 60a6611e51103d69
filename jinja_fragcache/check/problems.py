"""Decides what is wrong with each read in the body of a fragment."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from jinja_fragcache.reads.outline import FILTER
from jinja_fragcache.reads.paths import Path

from .coverage import Coverage, ends_of
from .scopes import ARGUMENT, LOOP, SET, Seen, Visit
from .vocabulary import (
    HOSTS,
    LOCALIZED,
    TOKEN_ATTRIBUTES,
    Vocabulary,
    within,
)


@dataclass(slots=True)
class Problem:
    """Reads of one thing that the key of a fragment does not cover.

    Attributes:
        code: The rule.
        subject: The name that is missing in the key.
        reads: The reads.
        origins: What the values that they read are made from, if that is the problem.
    """

    code: str
    subject: Path
    reads: list[Seen] = field(default_factory=list)
    origins: list[Seen] = field(default_factory=list)


class Judge:
    """Judges fragments.

    Args:
        vocabulary: The names that have a meaning.
        identified: The names of objects that are one of many.
        constants: The names of the environment's globals.

    Attributes:
        words: The names that have a meaning.
    """

    def __init__(
        self, vocabulary: Vocabulary, identified: set[str], constants: Iterable[str]
    ) -> None:
        self.words = vocabulary
        self._identified = identified
        self._constants = set(constants)

    def problems(self, visit: Visit) -> Iterator[Problem]:
        """Return what is wrong with what a fragment reads."""
        judging = _Judging(self, visit)
        found: dict[tuple[str, Path], Problem] = {}
        for seen in visit.body.reads.values():
            for code, subject, origin in judging.judge(seen):
                problem = found.setdefault((code, subject), Problem(code, subject))
                problem.reads.append(seen)
                if origin is not seen:
                    problem.origins.append(origin)
        yield from found.values()

    def meaning(self, seen: Seen) -> tuple[str, Path] | None:
        """Return the rule for a variable of the page, and what it names."""
        path, words = seen.path, self.words
        last = path[-1].removeprefix(FILTER)
        if seen.read.is_external or path == ("request", "url_for"):
            return "FC007", ("url_for",)
        if seen.read.is_called and last in LOCALIZED:
            return "FC003", ("locale",)
        locale = within(path, words.locales) or ()
        personal = within(path, words.users | words.owned | words.personal) or ()
        if len(locale) > len(personal):
            return "FC003", ("locale",)
        if personal:
            return "FC001", personal
        if path[0] == "request":
            return "FC011", path[:3] if path[1:2] in _MAPPINGS else path[:2]
        is_visitor = within(path, words.visitors) and path[0] not in self._constants
        return ("FC012", path[:1]) if is_visitor else None

    def is_token(self, seen: Seen) -> bool:
        """Return whether a read is that of a token."""
        if seen.path[-1] in TOKEN_ATTRIBUTES and len(seen.path) > 1:
            return True
        return seen.binding is None and bool(within(seen.path, self.words.tokens))

    def is_data(self, seen: Seen) -> bool:
        """Return whether a read is that of an attribute of a variable of the page."""
        path = seen.path
        return (
            seen.binding is None
            and len(path) > 1
            and not path[1].isdigit()
            and not path[0].endswith("form")
            and path[0] not in self._constants
            and path[0] not in self.words.known
        )

    def is_one_of_many(self, seen: Seen) -> bool:
        """Return whether a variable of the page is an object, of which others exist."""
        return self.is_data(seen) and seen.path[0] in self._identified


# What is the same in most pages of one template.
_OF_PAGE = {("request", "endpoint"), ("request", "blueprint")}
# What in a request is a mapping.
_MAPPINGS = {
    (name,)
    for name in (
        *("args", "form", "values", "view_args", "GET", "POST", "query_params"),
        *("path_params", "json", "query", "match_info"),
    )
}
_Judgement = tuple[str, Path, Seen]


class _Judging:
    """Judges the reads of one fragment."""

    def __init__(self, judge: Judge, visit: Visit) -> None:
        self._judge = judge
        self._visit = visit
        self._coverage = Coverage(visit, judge.words)
        self._has_object = self._coverage.has_object()

    def judge(self, seen: Seen) -> Iterator[_Judgement]:
        """Return the rules that a read breaks, each with what it is about."""
        if self._judge.is_token(seen):
            in_key = any(key.path == seen.path for key in self._coverage.keys)
            # Whether there is one at all is the same for all.
            in_key = in_key or self._coverage.allows(seen)
            if not seen.read.is_partial and not in_key:
                yield "FC002", (seen.path[-1],), seen
        elif self._coverage.covers(seen):
            return
        elif seen.binding is None:
            yield from self._of_page(seen)
        elif seen.binding.kind == SET:
            yield from self._of_value(seen)
        elif not self._is_from_call(seen):
            yield "FC004", self._subject(seen), seen

    def _of_page(self, seen: Seen) -> Iterator[_Judgement]:
        meaning = self._judge.meaning(seen)
        if meaning is None:
            if self._judge.is_one_of_many(seen) and not self._has_object:
                yield "FC012", seen.path[:1], seen
        elif not self._is_met(*meaning, seen):
            yield *meaning, seen

    def _is_met(self, code: str, subject: Path, seen: Seen) -> bool:
        """Return whether the key has what a rule asks for, in another form."""
        if code == "FC003":
            return self._coverage.has_locale
        if code == "FC007":
            whole = (key.path for key in self._coverage.keys if not key.read.part)
            named = {key[1] for key in whole if len(key) > 1 and key[0] == "request"}
            return any(each <= named for each in HOSTS)
        if subject not in _OF_PAGE:
            return False
        # With a block or without a name, the template is a part of the key. Where it
        # belongs to several pages, the entry keeps these, and a hit compares them.
        tag = self._visit.tag
        has_name = tag.name is not None or tag.is_name_variable
        return not has_name or self._visit.body.has_block

    def _of_value(self, seen: Seen) -> Iterator[_Judgement]:
        """Judge a name that a template sets around the fragment."""
        binding = seen.binding
        if binding is None:
            return
        ends = [end for end in ends_of(binding) if not self._coverage.covers(end)]
        found = False
        for end in ends:
            if self._judge.is_token(end):
                yield "FC002", (end.path[-1],), end
                found = True
            elif end.binding is None and self._judge.meaning(end) is not None:
                for code, subject, _ in self._of_page(end):
                    yield code, subject, end
                    found = True
        if not found and (self._is_other(seen) or any(map(self._varies, ends))):
            yield "FC004", seen.path[:1], seen

    def _is_other(self, seen: Seen) -> bool:
        """Return whether a constant is set in another template, for its own use."""
        binding = seen.binding
        if binding is None or binding.kind != SET or binding.sources:
            return False
        return binding.template != self._visit.template and not (
            self._visit.body.has_block
        )

    def _varies(self, end: Seen) -> bool:
        """Return whether what a value is made from differs from page to page."""
        if end.binding is None:
            return self._judge.is_data(end) and not self._has_object
        if end.binding.kind == SET:
            return self._is_other(end)
        return end.binding.kind in {LOOP, ARGUMENT}

    def _is_from_call(self, seen: Seen) -> bool:
        """Return whether `caller()` is told by an argument of its macro."""
        return seen.path[0] == "caller" and any(
            key.binding is seen.binding for key in self._coverage.keys
        )

    def _subject(self, seen: Seen) -> Path:
        # What a row uses of `loop` has to be in the key.
        return seen.path[:2] if seen.path[0] == "loop" else seen.path[:1]
