"""The types of decorated functions."""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, overload

P = ParamSpec("P")
P2 = ParamSpec("P2")
T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


class BoundCachedFunction(Protocol[T_contra, P, R_co]):
    """A decorated method, bound to an object.

    Attributes:
        cache_timeout: The timeout of its values.
        make_cache_key: Returns the key of a call.
    """

    __name__: str
    __qualname__: str
    cache_timeout: Any
    make_cache_key: Callable[..., str]

    @property
    def uncached(self) -> Callable[Concatenate[T_contra, P], R_co]:
        """The function that was decorated."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Return the stored value, or call the function."""
        ...


class CachedFunction(Protocol[P, R]):
    """A function that `cached` or `memoize` has decorated; its signature is the same.

    Attributes:
        uncached: The function that was decorated.
        cache_timeout: The timeout of its values. A new one applies from the next call.
        make_cache_key: Returns the key of a call. May be replaced.
    """

    __name__: str
    __qualname__: str
    uncached: Callable[P, R]
    cache_timeout: Any
    make_cache_key: Callable[..., str]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the stored value, or call the function."""
        ...

    @overload
    def __get__(
        self, instance: None, owner: type | None = None, /
    ) -> "CachedFunction[P, R]": ...
    @overload
    def __get__(
        self: "CachedFunction[Concatenate[T, P2], R]",
        instance: T,
        owner: type | None = None,
        /,
    ) -> BoundCachedFunction[T, P2, R]: ...
    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Bind a method to an object, as plain functions do."""
        ...
