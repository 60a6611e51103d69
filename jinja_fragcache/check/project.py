"""Loads the templates that are checked: from folders, or from an environment."""

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, TemplateError

from jinja_fragcache.errors import CheckError
from jinja_fragcache.reads.outline import Broken, Outline
from jinja_fragcache.template.extension import FragmentCacheExtension

_ENDINGS = (".html", ".htm", ".xhtml", ".xml", ".jinja", ".jinja2", ".j2")
# Also .txt files, but only in folders of templates, because others are no templates.
_TEXT = ".txt"
_FOLDER = "templates"
_NEVER = {
    *(".git", ".hg", ".svn", ".tox", ".nox", ".venv", "venv", "node_modules"),
    *("__pycache__", "site-packages", ".fragcache_cache"),
}
_EXTENSIONS = ("jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols")


@dataclass(slots=True)
class Template:
    """A template.

    Attributes:
        name: The name by which others include it.
        file: The path of its file, as it is shown.
        source: Its source.
        root: The folder to which names of templates in it are relative, "" if there is
            only one.
        is_asked: Whether its findings are shown, or it is read for the others only.
        read: Its outline, or why it can't be parsed.
    """

    name: str
    file: str
    source: str
    root: str = ""
    is_asked: bool = True
    read: Outline | Broken = field(default_factory=Outline)


@dataclass(slots=True)
class Project:
    """Templates, with the environment that they belong to.

    Attributes:
        environment: The environment, for its delimiters and globals.
        templates: The templates, by their names.
        constants: The names of globals that the application has set.
        extensions: What `default_environment` makes the environment from, None if it is
            another one.
        empty: Paths that were asked for and have no templates, but excluded ones.
    """

    environment: Environment
    templates: dict[str, Template]
    constants: frozenset[str] = frozenset()
    extensions: tuple[str, ...] | None = None
    empty: tuple[Path, ...] = ()

    def roots(self) -> dict[str, str]:
        """Return the folder of each template, for templates that have one name."""
        return {name: template.root for name, template in self.templates.items()}

    def outlines(self) -> dict[str, Outline]:
        """Return the outlines of the templates that could be parsed."""
        return {
            name: template.read
            for name, template in self.templates.items()
            if isinstance(template.read, Outline)
        }


def default_environment(extensions: Iterable[str] = ()) -> Environment:
    """Return the environment in which the templates of folders are parsed.

    Args:
        extensions: Import names of more Jinja extensions.

    Raises:
        CheckError: If one can't be imported.
    """
    environment = Environment(  # noqa: S701 - nothing is rendered
        extensions=[*_EXTENSIONS, FragmentCacheExtension]
    )
    for name in extensions:
        try:
            environment.add_extension(name)
        except Exception as error:
            raise CheckError(
                f"The Jinja extension {name!r} can't be imported:"
                f" {type(error).__name__}: {error}"
            ) from error
    return environment


def from_environment(environment: Environment, exclude: Sequence[str] = ()) -> Project:
    """Return the templates that the loader of an environment lists.

    Args:
        environment: The environment.
        exclude: Patterns of names and paths to leave out, such as `admin/*`.

    Raises:
        CheckError: If it can't list them, or there are none.
    """
    if environment.loader is None:
        raise CheckError("The environment has no loader. Name the templates' folder.")
    try:
        names = environment.list_templates()
    except TypeError as error:
        raise CheckError(
            f"The environment's loader can't list its templates: {error}. Name the"
            " templates' folder."
        ) from error
    templates = {}
    seen = False
    for name in names:
        if not _is_template(Path(name), in_folder=True):
            continue
        try:
            source, file, _ = environment.loader.get_source(environment, name)
            made = Template(name, _shown(file), source)
        except TemplateError:
            # A loader may list more than it finds.
            continue
        except (OSError, UnicodeDecodeError) as error:
            made = _unreadable(Template(name, name, ""), error)
        seen = True
        if not _is_excluded((name, made.file), exclude):
            templates[name] = made
    if not seen:
        raise _nothing("the environment's loader")
    defaults = set(Environment().globals)  # noqa: S701 - for their names only
    own = frozenset(environment.globals) - defaults
    return Project(environment, templates, own)


def from_paths(
    paths: Sequence[Path], environment: Environment, exclude: Sequence[str] = ()
) -> Project:
    """Return the templates in folders, and single files.

    Args:
        paths: The folders and files. Of a file, the others in its folder are read, too.
        environment: The environment in which they are parsed.
        exclude: Patterns of paths to leave out, such as `admin/*`.

    Raises:
        CheckError: If a path does not exist, or there are no templates in any.
    """
    templates: dict[str, Template] = {}
    asked = [path.resolve() for path in paths]
    roots: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise CheckError(f"There is no file or folder {str(path)!r}.")
        roots.update(dict.fromkeys(_roots(path)))
    done: set[Path] = set()
    seen: set[Path] = set()
    found: set[Path] = set()
    for root in roots:
        for file in _files(root):
            resolved = file.resolve()
            if resolved in done:
                continue
            done.add(resolved)
            name = file.relative_to(root).as_posix()
            named = {each for each in asked if resolved.is_relative_to(each)}
            seen |= named
            if _is_excluded((_shown(file), name), exclude):
                continue
            found |= named
            if name in templates:
                name = f"{root.as_posix()}/{name}"
            templates[name] = _load(file, name, root.as_posix(), is_asked=bool(named))
    if not seen:
        raise _nothing(", ".join(map(str, paths)))
    empty = (path for path in paths if path.resolve() not in found)
    return Project(environment, templates, empty=tuple(empty))


def _roots(path: Path) -> Iterator[Path]:
    """Yield the folders to which the names of a path's templates are relative."""
    for parent in (path, *path.resolve().parents):
        if parent.name == _FOLDER and parent.is_dir():
            yield parent
            return
    if path.is_file():
        yield path.parent
        return
    yield from sorted(
        each
        for each in path.rglob(_FOLDER)
        if each.is_dir() and not _NEVER.intersection(each.relative_to(path).parts)
    )
    yield path


def _files(root: Path) -> Iterator[Path]:
    in_folder = root.name == _FOLDER
    for file in sorted(root.rglob("*")):
        inner = file.relative_to(root)
        if _NEVER.intersection(inner.parts) or not file.is_file():
            continue
        if _is_template(file, in_folder=in_folder):
            yield file


def _is_excluded(names: Iterable[str], exclude: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(name, one) for name in names for one in exclude)


def _is_template(file: Path, *, in_folder: bool) -> bool:
    return file.suffix in _ENDINGS or (in_folder and file.suffix == _TEXT)


def _load(file: Path, name: str, root: str, *, is_asked: bool) -> Template:
    made = Template(name, _shown(file), "", root, is_asked)
    try:
        made.source = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return _unreadable(made, error)
    return made


def _unreadable(template: Template, error: Exception) -> Template:
    """Return a template that can't be read, which is a finding like one of its own."""
    template.read = Broken(1, f"The file can't be read: {error}")
    return template


def _nothing(where: str) -> CheckError:
    """Return the error for paths or a loader without templates."""
    return CheckError(
        f"There are no templates in {where}. Looked for: files that end with"
        f" {', '.join(_ENDINGS)}, and {_TEXT} files in folders called {_FOLDER}."
    )


def _shown(file: str | Path | None) -> str:
    """Return a path as it is shown: relative to the current folder, if it is in it."""
    if file is None:
        return ""
    path = Path(file).absolute()
    here = Path.cwd()
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()
