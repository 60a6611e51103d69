import asyncio
from collections.abc import Callable, Generator

import pytest

from jinja_fragcache.flow import (
    Delete,
    Flow,
    Render,
    Step,
    Write,
    bypass,
    drive,
    drive_async,
    remove,
    renew,
)
from jinja_fragcache.freshness import want

Driver = Callable[[Flow, Callable[[Step], str]], str]


def _drive_async(flow: Flow, perform: Callable[[Step], str]) -> str:
    async def awaited(step: Step) -> str:
        await asyncio.sleep(0)
        return perform(step)

    return asyncio.run(drive_async(flow, awaited))


@pytest.fixture(params=[drive, _drive_async], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


def recorded(driver: Driver, flow: Flow) -> tuple[str, list[Step]]:
    steps: list[Step] = []

    def perform(step: Step) -> str:
        steps.append(step)
        return "text" if isinstance(step, Render) else ""

    return driver(flow, perform), steps


PLAIN = want(True, None)  # noqa: FBT003 - its form


def test_a_miss_renders_and_writes(driver: Driver) -> None:
    text, steps = recorded(driver, renew("key", PLAIN, 30))
    assert text == "text"
    assert steps == [Render(), Write("key", "text", 30)]


def test_del_deletes_and_renders(driver: Driver) -> None:
    text, steps = recorded(driver, remove("key"))
    assert text == "text"
    assert steps == [Delete("key"), Render()]


def test_a_bypass_only_renders(driver: Driver) -> None:
    assert recorded(driver, bypass()) == ("text", [Render()])


class BodyError(Exception):
    pass


@pytest.mark.parametrize("error", [BodyError("no"), KeyboardInterrupt()])
def test_what_the_body_raises_passes_unchanged(
    driver: Driver, error: BaseException
) -> None:
    steps: list[Step] = []

    def perform(step: Step) -> str:
        steps.append(step)
        raise error

    with pytest.raises(type(error)) as raised:
        driver(renew("key", PLAIN, 30), perform)
    assert raised.value is error
    assert steps == [Render()]


def test_a_flow_may_answer_an_error(driver: Driver) -> None:
    def flow() -> Generator[Step, str, str]:
        try:
            yield Render()
        except BodyError:
            yield Delete("key")
        return "old text"

    def perform(step: Step) -> str:
        if isinstance(step, Render):
            raise BodyError
        return ""

    assert driver(flow(), perform) == "old text"
