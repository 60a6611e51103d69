"""Builds the wheel and the sdist of what git tracks: `make package`.

They are built from a copy, in which the links of README.md are absolute. No file that
merely lies around gets into them.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from zipfile import ZipFile

from tests.release.readme_links import with_absolute_links
from tests.release.repository import DIST, NAME, ROOT, git, tracked_files, urls, version


def main() -> None:
    """Build both, and compare what is in them with what git tracks."""
    files = tracked_files()
    shutil.rmtree(DIST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "source"
        _copy_files(files, copy)
        _build(copy)
    wrong = _wrong_in_sdist(files) + _wrong_in_wheel(files)
    if wrong:
        raise SystemExit("\n".join(wrong))
    for file in sorted(DIST.iterdir()):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size // 1000} kB")


def _copy_files(files: set[str], folder: Path) -> None:
    for path in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    readme = folder / "README.md"
    documentation = urls().get("documentation")
    if documentation:
        text = with_absolute_links(readme.read_text("utf-8"), documentation)
        readme.write_text(text, "utf-8")
    else:
        print(
            "[project.urls] names no documentation: README.md keeps its relative links,"
            " which a package index can't follow. See docs/releasing.md."
        )


def _build(source: Path) -> None:
    """Build the sdist, and from it the wheel. The same commit gives the same files."""
    epoch = git("log", "-1", "--format=%ct").strip()
    command = [sys.executable, "-m", "build", "--outdir", str(DIST), str(source)]
    done = subprocess.run(
        command,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout)


def _wrong_in_sdist(files: set[str]) -> list[str]:
    """Return how the sdist differs from what git tracks."""
    top = f"{NAME}-{version()}"
    with tarfile.open(DIST / f"{top}.tar.gz") as archive:
        held = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    return _differences("The sdist", held, {*files, "PKG-INFO"})


def _wrong_in_wheel(files: set[str]) -> list[str]:
    """Return how the wheel differs from the package that git tracks."""
    top = f"{NAME}-{version()}"
    with ZipFile(DIST / f"{top}-py3-none-any.whl") as archive:
        held = set(archive.namelist())
    about = {name for name in held if name.startswith(f"{top}.dist-info/")}
    package = {path for path in files if path.startswith(f"{NAME}/")}
    return _differences("The wheel", held - about, package)


def _differences(what: str, held: set[str], wanted: set[str]) -> list[str]:
    return [
        *(f"{what} lacks {path}" for path in sorted(wanted - held)),
        *(
            f"{what} holds {path}, which it should not"
            for path in sorted(held - wanted)
        ),
    ]


if __name__ == "__main__":
    main()
