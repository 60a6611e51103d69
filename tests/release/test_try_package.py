import sys
from pathlib import Path

import pytest

from tests.release import try_package
from tests.release.try_package import TrialError, main, run, version_of


@pytest.fixture(autouse=True)
def wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(try_package, "DIST", tmp_path)
    made = tmp_path / "name-1.0-py3-none-any.whl"
    made.touch()
    return made


def shim(folder: Path) -> str:
    """Return a command that is there, and fails, as pyenv has for each version."""
    command = folder / "python3.99"
    command.write_text("#!/bin/sh\nexit 127\n", "utf-8")
    command.chmod(0o700)
    return str(command)


def test_a_python_that_is_not_there_has_no_version(tmp_path: Path) -> None:
    found = [version_of(name) for name in ("no-such-python", shim(tmp_path))]
    assert found == [None, None]


def test_pythons_that_are_not_there_are_skipped_and_named(
    monkeypatch: pytest.MonkeyPatch, wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tried = []

    def trial(name: str, what: Path) -> list[str]:
        tried.append((name, what))
        return ["without extras"]

    monkeypatch.setattr(try_package, "trial", trial)
    main(["no-such-python", sys.executable])
    assert tried == [(sys.executable, wheel)]
    first, second = capsys.readouterr().out.splitlines()
    assert first == "no-such-python: skipped, it is not there"
    assert second.endswith("without extras: works")


def test_it_is_an_error_if_no_python_is_there() -> None:
    with pytest.raises(SystemExit, match="None of no-such-python is there"):
        main(["no-such-python"])


def test_a_failing_command_is_told_with_what_it_printed() -> None:
    with pytest.raises(TrialError, match="told so"):
        run([sys.executable, "-c", "raise SystemExit('told so')"])
