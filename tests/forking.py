"""Runs functions in child processes that are copies of this one."""

import json
import os
import signal
import traceback
from collections.abc import Callable
from typing import Any

_SECONDS = 60


class Child:
    """A process that was forked from this one and calls a function.

    It ends after a minute at the latest, so that a deadlock fails the test.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        reading, writing = os.pipe()
        self.process = os.fork()
        if not self.process:
            signal.alarm(_SECONDS)
            try:
                answer = {"returned": call()}
            except BaseException:  # noqa: BLE001 - told to the parent
                answer = {"raised": traceback.format_exc()}
            os.write(writing, json.dumps(answer).encode() + b"\n")
            # Without pytest's own end.
            os._exit(0)
        os.close(writing)
        self._reading = reading

    def result(self) -> Any:
        """Wait for the end of the process, and return what the function returned."""
        with os.fdopen(self._reading, "rb") as stream:
            # Not until its end: a grandchild may have the other end too.
            told = stream.readline()
        os.waitpid(self.process, 0)
        answer = json.loads(told) if told else {"raised": "it ended without an answer"}
        assert "raised" not in answer, answer["raised"]
        return answer["returned"]
