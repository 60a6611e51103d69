from typing import Any

import cachelib
import pytest

from jinja_fragcache.access.adapt import adapt
from jinja_fragcache.operations import perform
from jinja_fragcache.stores import MemoryStore
from tests.support import RecordingStore


class Django:
    """A store that looks like one of Django's."""

    __module__ = "django.core.cache.backends.base"

    def __init__(self, default_timeout: int | None) -> None:
        self.default_timeout = default_timeout

    def get(self, key: str) -> None: ...
    def set(self, key: str, value: Any, timeout: Any = None) -> None: ...
    def delete(self, key: str) -> bool:
        return False


class Telling(RecordingStore):
    default_timeout: Any = 40


class TellingNothing(RecordingStore):
    default_timeout: Any = "40"


@pytest.mark.parametrize(
    ("store", "seconds"),
    [
        (Telling(), 40),
        (TellingNothing(), None),
        (RecordingStore(), None),
        (MemoryStore(default_timeout=7), 7),
        (MemoryStore(default_timeout=0), 0),
        (cachelib.SimpleCache(default_timeout=9), 9),
        (Django(None), 0),
        (Django(60), 60),
        (Django(0), -1),
        (Django(-5), -1),
    ],
)
def test_the_default_timeout_is_read_from_the_store(
    store: Any, seconds: int | None
) -> None:
    assert adapt(store).default_timeout == seconds


class LoggingDjango(Django):
    """One whose `get_many` was wrapped in a function that takes any arguments."""

    def get_many(self, *arguments: Any, **options: Any) -> dict[str, str]:
        (keys,) = arguments
        return {key: key.upper() for key in reversed(keys) if key != "nothing"}


def test_a_list_is_read_of_django_as_django_takes_it() -> None:
    adapter = adapt(LoggingDjango(60))
    assert adapter.gets_many
    keys = ["a", "nothing", "b"]
    assert adapter.get_many_now(keys) == ["A", None, "B"]
    assert perform(adapter.get_many(keys)) == ["A", None, "B"]
