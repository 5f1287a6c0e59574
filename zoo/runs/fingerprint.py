"""A digest of the code that a run imports: unfinished work goes on only under the same code.

Imports are read from the source, so nothing is loaded; those inside functions count too. The digest leaves out what no
run imports: commands, leaderboard, documents, tests, models of other names.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from zoo.paths import ROOT

TRAINING = ("zoo.training.train", "zoo.runs.data")  # what a worker runs, beside model and task
FOLLOWED = ("zoo", "tasks")  # packages whose imports count; of other people's packages the versions do
BESIDE = (".c", ".cc", ".cpp", ".cu", ".h", ".hpp")  # sources that modules of their folder compile


def code_fingerprint(targets: Iterable[str], versions: str = "") -> str:
    """Digest the code of a run.

    Args:
        targets: `_target_` of its model, its task and its loggers, as in `zoo.models.memn2n.MemN2N`.
        versions: of the libraries, in any form.
    """
    digest = hashlib.sha256(f"{sys.version_info[:2]} {versions}".encode())
    for name, file in sorted(modules_of(targets).items()):
        digest.update(f"{name}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def modules_of(targets: Iterable[str]) -> dict[str, Path]:
    """Find the sources of a run: modules by their dotted names, compiled sources by their file names."""
    found: dict[str, Path] = {}
    # a module outside of the followed packages, a model of one's own for example, counts with its own folder
    waiting: list[tuple[str, tuple[str, ...]]] = [(name, FOLLOWED) for name in TRAINING]
    waiting += [
        (name, (*FOLLOWED, name.partition(".")[0])) for target in targets for name in [_module_of(target)] if name
    ]
    while waiting:
        name, packages = waiting.pop()
        if name in found or name.partition(".")[0] not in packages:
            continue
        file = file_of(name)
        if file is None:
            continue
        found[name] = file
        found |= {source.name: source for source in file.parent.iterdir() if source.suffix in BESIDE}
        waiting += [(other, packages) for other in _imports(name, file)]
    return found


def _module_of(target: str) -> str:
    """Find the longest part of a dotted name that is a module; empty if there is none."""
    while target and file_of(target) is None:
        target = target.rpartition(".")[0]
    return target


@cache
def file_of(name: str) -> Path | None:
    """Find the source of a module without importing anything; None if it has none."""
    places: list[str] | None = [str(ROOT), *sys.path] if name.partition(".")[0] in FOLLOWED else None
    spec = None
    parts = name.split(".")
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or [])
    file = Path(spec.origin) if spec and spec.origin else None
    return file if file and file.suffix == ".py" else None


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """Walk over a syntax tree, but not over what is there for type checkers alone."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from _run(child)


def _imports(name: str, file: Path) -> Iterator[str]:
    """Yield the modules that a module may import, its own packages among them."""
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    parts = name.split(".")
    yield from (".".join(parts[:number]) for number in range(1, len(parts)))
    for node in _run(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)  # a module, or a name in one
