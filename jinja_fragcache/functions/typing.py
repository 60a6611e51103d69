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


class BoundMemoizedFunction(
    BoundCachedFunction[T_contra, P, R_co], Protocol[T_contra, P, R_co]
):
    """A method that `memoize` has decorated, bound to an object.

    Attributes:
        delete_memoized: Deletes the values of all calls, or with arguments of one.
    """

    delete_memoized: Callable[..., None]


class MemoizedFunction(CachedFunction[P, R], Protocol[P, R]):
    """A function that `memoize` has decorated.

    Attributes:
        delete_memoized: Deletes the values of all calls, or with arguments of one.
    """

    delete_memoized: Callable[..., None]

    @overload
    def __get__(
        self, instance: None, owner: type | None = None, /
    ) -> "MemoizedFunction[P, R]": ...
    @overload
    def __get__(
        self: "MemoizedFunction[Concatenate[T, P2], R]",
        instance: T,
        owner: type | None = None,
        /,
    ) -> BoundMemoizedFunction[T, P2, R]: ...
    def __get__(self, instance: Any, owner: type | None = None, /) -> Any:
        """Bind a method to an object, as plain functions do."""
        ...


class CachedClassFunction(Protocol[T_contra, P, R_co]):
    """A function that `cached` has decorated, whose first argument is a class.

    Type checkers leave it to the decorator to bind class methods. Where the function is
    no method, they don't check how it is called.

    Attributes:
        cache_timeout: As for `CachedFunction`.
        make_cache_key: As for `CachedFunction`.
    """

    __name__: str
    __qualname__: str
    cache_timeout: Any
    make_cache_key: Callable[..., str]

    @property
    def uncached(self) -> Callable[..., R_co]:
        """The function that was decorated."""
        ...

    def __call__(self, *args: Any, **kwargs: Any) -> R_co:
        """Return the stored value, or call the function."""
        ...

    def __get__(
        self, instance: T_contra | None, owner: type[T_contra], /
    ) -> BoundCachedFunction[type[T_contra], P, R_co]:
        """Bind a class method to its class."""
        ...


class MemoizedClassFunction(
    CachedClassFunction[T_contra, P, R_co], Protocol[T_contra, P, R_co]
):
    """A function that `memoize` has decorated, whose first argument is a class.

    Attributes:
        delete_memoized: As for `MemoizedFunction`.
    """

    delete_memoized: Callable[..., None]

    def __get__(
        self, instance: T_contra | None, owner: type[T_contra], /
    ) -> BoundMemoizedFunction[type[T_contra], P, R_co]:
        """Bind a class method to its class."""
        ...


class CachedDecorator(Protocol):
    """What `cached` returns."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[type[T], P], R], /
    ) -> CachedClassFunction[T, P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> CachedFunction[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        """Return a function with a cache in front of it."""
        ...


class MemoizeDecorator(Protocol):
    """What `memoize` returns."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[type[T], P], R], /
    ) -> MemoizedClassFunction[T, P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> MemoizedFunction[P, R]: ...
    def __call__(self, function: Any, /) -> Any:
        """Return a function with a cache in front of it."""
        ...
