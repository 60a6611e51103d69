import asyncio
import threading

import pytest

from jinja_fragcache.access.runner import (
    Runner,
    perform_at_once,
    perform_in_thread,
)
from jinja_fragcache.operations import Operation


@pytest.mark.parametrize(
    ("run", "is_here"), [(perform_at_once, True), (perform_in_thread, False)]
)
def test_an_operation_runs_on_the_thread_of_the_event_loop_or_not(
    run: Runner, is_here: bool
) -> None:
    def operation() -> Operation[int]:
        yield None
        return threading.get_ident()

    async def ask() -> int:
        return int(await run(operation()))

    assert (asyncio.run(ask()) == threading.get_ident()) is is_here
