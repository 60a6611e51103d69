"""What the keys of views and the keys of function calls have in common."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, Self

from jinja_fragcache.errors import KeyValueError
from jinja_fragcache.guard.reads import Cover
from jinja_fragcache.messages import describe, describe_class

#: How errors name a key that a user's `make_cache_key` returned.
CUSTOM_KEY = "What make_cache_key gives"


class CallKey(NamedTuple):
    """The key of a call, and the tags of its entry.

    Attributes:
        key: The key of the entry.
        tags: The tags by which the entry can be invalidated.
    """

    key: str
    tags: tuple[str, ...] = ()


class TaggedKey(str):
    """The key of a call, which knows the tags that an entry under it must have.

    Args:
        key: The key.
        tags: The tags.
    """

    __slots__ = ("tags",)
    tags: tuple[str, ...]

    def __new__(cls, key: str, tags: tuple[str, ...]) -> Self:
        """Make a string that is the key, with the tags as an attribute."""
        made = super().__new__(cls, key)
        made.tags = tags
        return made


def tags_of(key: str) -> tuple[str, ...]:
    """Return the tags that an entry under a key must have, as far as the key knows."""
    return key.tags if isinstance(key, TaggedKey) else ()


def full_name(function: Any) -> str:
    """Return a function's module and qualified name, joined by a dot."""
    return f"{function.__module__}.{function.__qualname__}"


def check_key(key: Any, name: str = "A key") -> str:
    """Return a key that a user gave, if it is a string.

    Args:
        key: The key.
        name: What the error message calls it.

    Raises:
        KeyValueError: If the key is not a string.
    """
    if not isinstance(key, str):
        hint = " Give several keys one by one." if isinstance(key, list | tuple) else ""
        raise KeyValueError(
            f"{name} has to be a text and is {describe(key)}.{hint}",
            for_log=f"{name} has to be a text and is {describe_class(key)}.",
        )
    return key


class Keys(Protocol):
    """Makes the keys for the calls of one function."""

    @property
    def by_path(self) -> bool:
        """Whether the key contains the path of the request."""
        ...

    @property
    def are_custom(self) -> bool:
        """Whether a function of the user makes the key of each call."""
        ...

    @property
    def named(self) -> Cover:
        """What the key names of the request, if no function of the user makes it."""
        ...

    @property
    def named_of_view(self) -> Cover:
        """The same for the view of the request, whose method is GET or HEAD."""
        ...

    def __call__(self, /, *args: Any, **kwargs: Any) -> str:
        """Return the key of a call without making the call.

        This is the decorated function's `make_cache_key`.
        """
        ...

    def of_call(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        source_check: bool | None = None,
    ) -> CallKey:
        """Return the key and the tags of a call that is being made.

        Args:
            args: The call's arguments.
            kwargs: The call's arguments.
            source_check: Whether the function's source is part of the key; None if
                nobody has said so.
        """
        ...

    def of_custom_key(
        self, make: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> CallKey:
        """Like `of_call`, but with the key that the user's `make` returns."""
        ...

    def tags_of_call(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[str, ...]:
        """Return the tags of a call whose key is refused."""
        ...
