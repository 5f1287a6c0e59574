"""`zoo VERB name=value …` and `python -m zoo VERB …`."""

import os
import sys
from importlib import import_module

from zoo.paths import ROOT

# your own models lie in the working folder; behind the zoo's packages, so that a file tasks.py there hides none of them
_HERE = os.getcwd()
if os.path.realpath(_HERE) != os.path.realpath(ROOT):
    sys.path[:] = [*(entry for entry in sys.path if entry not in ("", _HERE)), _HERE]

from tasks.errors import UserError, nearest
from zoo.commands import VERBS, help_of, parse
from zoo.interrupts import held_back
from zoo.pipes import quiet_pipes

HELP = ("-h", "--help", "help")


def main(arguments: list[str] | None = None) -> None:
    """Run a verb, or print help."""
    with quiet_pipes():
        _main(arguments)


def _main(arguments: list[str] | None) -> None:
    verb, *rest = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    if verb in HELP:
        print(help_of(rest[0]) if rest and rest[0] in VERBS else _overview())
        return
    if any(argument in HELP[:2] for argument in rest) and verb in VERBS:
        print(help_of(verb))
        return

    from zoo.runs.messages import ends_with_message  # Hydra is loaded only now: help answers at once

    with ends_with_message(rest):
        if verb not in VERBS:
            raise UserError(f"'{verb}' is not a verb of zoo{nearest(verb, list(VERBS))}\n\n{_overview()}")
        with held_back():
            module = import_module(f"zoo.commands.{verb}")
        if verb == "run":  # Hydra reads the arguments itself
            module.main(rest)
        else:
            module.main(parse(verb, module.GRAMMAR, rest))


def _overview() -> str:
    lines = "\n".join(f"  {verb:12}{said}" for verb, said in VERBS.items())
    return "\n\n".join(
        [
            "Memory Zoo: memory networks, trained and compared.",
            "zoo VERB [name=value …]",
            lines,
            "zoo VERB --help says more.",
        ]
    )


if __name__ == "__main__":
    main()
