import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from jinja_fragcache.operations import Operation, perform, perform_async

Call = Callable[..., Any]


def carried_out(make: Callable[[Call], Operation[Any]], call: Call, way: str) -> Any:
    """Perform an operation whose calls are `call`, directly or awaiting each."""
    if way == "calls":
        return perform(make(call))

    async def awaited(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return call(*arguments)

    return asyncio.run(perform_async(make(awaited)))


@pytest.fixture(params=["calls", "awaits"])
def way(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


def test_answers_are_sent_back_and_the_result_is_returned(way: str) -> None:
    def operation(call: Call) -> Operation[list[int]]:
        first = yield call(1)
        second = yield call(first)
        return [first, second]

    assert carried_out(operation, lambda number: number + 1, way) == [2, 3]


def test_an_operation_may_call_nothing(way: str) -> None:
    def operation(call: Call) -> Operation[str]:
        names: list[str] = []
        for name in names:
            yield call(name)
        return "done"

    assert carried_out(operation, pytest.fail, way) == "done"


def failing(error: BaseException) -> Call:
    def call(*_: Any) -> None:
        raise error

    return call


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_an_error_of_a_call_propagates_unchanged(
    way: str, error: BaseException
) -> None:
    def operation(call: Call) -> Operation[None]:
        yield call()
        pytest.fail("went on")

    with pytest.raises(type(error)) as raised:
        carried_out(operation, failing(error), way)
    assert raised.value is error


def test_an_operation_may_handle_an_error(way: str) -> None:
    def operation(call: Call) -> Operation[str]:
        try:
            yield call()
        except ValueError:
            return "old text"
        return "new text"

    assert carried_out(operation, failing(ValueError()), way) == "old text"


def test_an_operation_may_go_on_after_an_error(way: str) -> None:
    calls: list[str] = []

    def call(name: str) -> str:
        calls.append(name)
        if name == "bad":
            raise ValueError
        return name

    def operation(call: Call) -> Operation[str]:
        try:
            yield call("bad")
        except ValueError:
            name: str = yield call("good")
        return name

    assert carried_out(operation, call, way) == "good"
    assert calls == ["bad", "good"]
