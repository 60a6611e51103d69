import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

EXAMPLES = str(Path(__file__).parents[2] / "examples")
# The examples are scripts that import each other from their own folder.
sys.path.insert(0, EXAMPLES)


@pytest.fixture(autouse=True)
def _no_modules_left_behind() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("made_for_test"):
            del sys.modules[name]
