"""The rules about tags themselves, and about tags in other tags."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import NamedTuple

from jinja_fragcache.reads.outline import FILTER, Outline, Tag

from .coverage import Coverage
from .remedies import shown
from .scopes import Visit
from .vocabulary import Vocabulary

_SIMILAR = 0.8
# Options that decide by themselves when an entry is out of date.
_OWN_FRESHNESS = {"version", "tags"}
_DELETES = '"del"'


class Place(NamedTuple):
    """A tag, and the template that it stands in."""

    template: str
    tag: Tag

    @property
    def text(self) -> str:
        """The template and the line."""
        return f"{self.template}:{self.tag.line}"


class Told(NamedTuple):
    """What a rule says of a tag."""

    code: str
    message: str
    remedy: Tag | None = None


def shared_names(outlines: Mapping[str, Outline]) -> Iterator[tuple[Place, Told]]:
    """Find fragments that have the name of another one (FC005)."""
    first: dict[str, Place] = {}
    for template, outline in sorted(outlines.items()):
        for tag in outline.tags:
            if tag.name is None or tag.timeout_text == _DELETES:
                continue
            place = Place(template, tag)
            other = first.setdefault(tag.name, place)
            told = _clash(place, other)
            if told:
                yield place, Told("FC005", told)


def _clash(place: Place, other: Place) -> str | None:
    name = place.tag.name
    same_body = place.tag.body == other.tag.body
    here, there = place.tag.key_texts, other.tag.key_texts
    same_number = here is None or there is None or len(here) == len(there)
    if same_body and same_number:
        return None
    if same_number:
        return (
            f'The fragment in {other.text} is named "{name}", too, and has another'
            " body: each is served in place of the other. Give one of them another"
            " name."
        )
    numbers = f"{len(here or ())} and {len(there or ())}"
    if same_body:
        return (
            f'The fragment in {other.text} is named "{name}", too, and has the same'
            f" body, but their keys have {numbers} values: one of them lacks a value."
        )
    return (
        f'The fragment in {other.text} is named "{name}", too, and has another body'
        f" and another number of key values ({numbers}): a delete by name meets one of"
        " the two. Give one of them another name."
    )


def variable_name(template: str, tag: Tag, fragment: str) -> Told | None:
    """Tell of a name that is no constant (FC006)."""
    if not tag.is_name_variable:
        return None
    return Told(
        "FC006",
        f"{fragment} is named by {tag.name_text}: another tag that has the same value"
        " has the same name. Write a constant name, and the value behind it.",
        tag._replace(
            name_text=f'"{PurePosixPath(template).stem}"',
            key_texts=(tag.name_text or "", *(tag.key_texts or ())),
        ),
    )


class Typos:
    """Finds names in keys that nothing defines (FC008).

    Args:
        outlines: The outlines of all templates.
        vocabulary: The names that have a meaning.
        constants: The names of the environment's globals.
    """

    def __init__(
        self,
        outlines: Iterable[Outline],
        vocabulary: Vocabulary,
        constants: Iterable[str],
    ) -> None:
        self._read = {name for outline in outlines for name in outline.names}
        self._known = {*vocabulary.known, *constants}

    def of(self, visit: Visit, names: Iterable[str]) -> Iterator[Told]:
        """Find those of one fragment.

        Args:
            visit: The fragment.
            names: The names that its template reads.
        """
        inside = {seen.path[0] for seen in visit.body.reads.values()}
        for key in visit.key:
            name = key.path[0]
            if key.binding or name in self._read or name in self._known:
                continue
            similar = [
                each
                for each in get_close_matches(name, {*inside, *names}, cutoff=_SIMILAR)
                if name.rstrip("s") != each.rstrip("s")
            ]
            if similar and not name.startswith(FILTER):
                yield Told(
                    "FC008",
                    f"{shown(key.path)} is in the key, and nothing else reads {name}."
                    f" Did you mean {similar[0]}? An undefined value can't be a key"
                    " value, so nothing is cached.",
                )


def nested(visit: Visit, coverage: Coverage) -> Iterator[Told]:
    """Find what the fragments around a fragment make of its options.

    Args:
        visit: The fragment.
        coverage: What the key of the fragment next around it covers.
    """
    outer = visit.outer[-1]
    around = f"fragment around it, in {Place(outer.template, outer.tag).text}"
    tag, limit = visit.tag, outer.tag.timeout
    if limit and _outlives(tag, limit):
        seconds = "for ever" if not tag.timeout else f"for {tag.timeout:g} seconds"
        yield Told(
            "FC009",
            f"It is fresh {seconds}, and the {around}, for {limit:g}: when that is"
            " rendered again, it gets this text from the store, as old as that may be.",
        )
    undone = [seen for seen in visit.unless if not coverage.covers(seen)]
    if undone:
        names = shown(undone[0].path, is_called=undone[0].read.is_called)
        yield Told(
            "FC010",
            f"The {around}, has neither `unless` nor a key value for {names}:"
            " it prints what it has stored before, whatever `unless` says here. Write"
            " the same `unless` there.",
        )


def _outlives(tag: Tag, limit: float) -> bool:
    if tag.timeout is None or _OWN_FRESHNESS & {name for name, _ in tag.options}:
        return False
    return tag.timeout == 0 or tag.timeout > limit
