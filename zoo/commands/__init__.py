"""The verbs of `zoo VERB name=value …`: one module each. The docstring of the module is its help."""

import ast
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from tasks.errors import UserError, nearest

VERBS = {  # module of this package, and a line of help
    "run": "train a model on a task; the same as python run.py",
    "models": "list the models, with their papers",
    "tasks": "list the tasks",
    "experiments": "list the settings of papers, with their published figures",
    "leaderboard": "make the leaderboard from all records",
    "playground": "make the page in which networks read a story side by side",
    "campaign": "make every run of a list",
    "explain": "show where a network looked when it answered",
    "draw": "draw networks on one story, or the heads of one on a sequence",
    "repeat": "make a run again, and compare",
    "weights": "list the trained networks of the zoo, and make those that are missing",
    "export": "write a trained network and its model card into a folder",
    "push": "upload such a folder to the Hugging Face Hub",
    "verify": "check records against their predictions, and repeat some cells",
    "join": "make one record of runs that differ in their seeds",
    "new": "write the two files of a variant of a model",
    "check": "say what a model of yours lacks",
}


@dataclass(frozen=True)
class Grammar:
    """The arguments that a verb takes."""

    names: tuple[str, ...] = ()  # of name=value
    required: tuple[str, ...] = ()
    bare: str = ""  # the name that an argument without a name sets
    several: bool = False  # arguments without a name may be many; they come as a list
    flags: tuple[str, ...] = ()  # of --flag
    passes_on: bool = False  # other name=value are arguments of run.py


@dataclass
class Given:
    """The arguments that somebody has given."""

    named: dict[str, str] = field(default_factory=dict)
    bare: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    passed_on: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        return self.named[name]

    def get(self, name: str) -> str | None:
        return self.named.get(name)

    def whole(self, name: str, usual: int) -> int:
        """Read a whole number."""
        value = self.named.get(name, str(usual))
        if not (value.isascii() and value.isdigit()):
            raise UserError(f"{name}={value}: expected a whole number")
        return int(value)

    @property
    def results_dir(self) -> Path:
        return Path(self.named.get("results_dir", "results"))


def parse(verb: str, grammar: Grammar, arguments: list[str]) -> Given:
    """Sort arguments by the grammar of a verb; an argument that does not fit is refused in one sentence."""
    given = Given()
    usage = f"zoo {verb} --help shows the arguments"
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument.startswith("--"):
            if argument[2:] not in grammar.flags:
                known = [f"--{flag}" for flag in grammar.flags]
                raise UserError(f"'{argument}' is not an option of zoo {verb}{nearest(argument, known)}; {usage}")
            given.flags.add(argument[2:])
        elif equals and name in grammar.names:
            if not value:
                raise UserError(f"{name}= is empty; {usage}")
            given.named[name] = value
        elif equals and grammar.passes_on:
            given.passed_on.append(argument)
        elif equals and not grammar.several:
            near = nearest(name, list(grammar.names))
            raise UserError(f"'{name}' is not an option of zoo {verb}{near} ({', '.join(grammar.names)}); {usage}")
        elif grammar.several:
            given.bare.append(argument)
        elif grammar.bare and grammar.bare not in given.named:
            given.named[grammar.bare] = argument
        else:
            raise UserError(f"'{argument}': expected name=value; {usage}")
    for name in grammar.required:
        if name not in given.named:
            raise UserError(f"{name}= is missing; {usage}")
    return given


def help_of(verb: str) -> str:
    """Read the docstring of a verb's module, without loading the module; `run` adds the names that Hydra knows."""
    spec = find_spec(f"{__name__}.{verb}")
    assert spec is not None and spec.origin is not None
    text = (ast.get_docstring(ast.parse(Path(spec.origin).read_text())) or "").strip()
    if verb == "run":
        from zoo.commands.run import help_text

        text += f"\n\n{help_text()}"
    return text
