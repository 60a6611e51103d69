"""The figures of several workers, and the form in which they are stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from .figures import NameFigures, Worker, total_of

# A change of the form of what is stored.
_FORM = 1
_OF_WORKER = [each.name for each in fields(Worker)]
_OF_NAME = [each.name for each in fields(NameFigures)]
_TYPES = {"int": int, "float": (int, float), "str": str}


@dataclass(frozen=True, slots=True)
class AllFigures:
    """The figures of several workers, added up.

    Attributes:
        names: The figures of each name.
        workers: Those workers whose figures these are, and how old they are. The one
            that was asked comes first.
        note: Why those of other workers may be missing, as a sentence, or "".
    """

    names: Sequence[NameFigures]
    workers: Sequence[Worker]
    note: str = ""

    @property
    def totals(self) -> NameFigures:
        """The figures of all names together, under the name `(all)`."""
        return total_of(self.names)


def encode(worker: Worker, figures: Sequence[NameFigures]) -> str:
    """Return the figures of a worker as text. No key and no key value is in it."""
    return json.dumps(
        {
            "form": _FORM,
            "worker": [getattr(worker, each) for each in _OF_WORKER],
            "names": [[getattr(each, name) for name in _OF_NAME] for each in figures],
        },
        separators=(",", ":"),
    )


def decode(stored: object) -> tuple[Worker, list[NameFigures]] | None:
    """Return a worker and its figures; None for anything that `encode` did not make."""
    try:
        told: Any = json.loads(stored) if isinstance(stored, str) else {}
        if told["form"] != _FORM:
            return None
        worker = _made(Worker, told["worker"])
        return worker, [_made(NameFigures, each) for each in told["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return None


def _made(kind: Any, values: Sequence[Any]) -> Any:
    made = kind(*values)
    for each in fields(kind):
        value = getattr(made, each.name)
        types: Any = _TYPES.get(getattr(each.type, "__name__", ""))
        if each.name == "reasons":
            if not all(type(number) is int for number in value.values()):
                raise TypeError
        elif each.name == "kind":
            if value not in {"fragment", "function"}:
                raise ValueError
        elif isinstance(value, bool) or not isinstance(value, types):
            raise TypeError
    return made
