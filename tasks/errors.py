"""The one exception that means: the person who typed the command can fix this."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

# characters that a terminal obeys, or that show a line in another order than it has
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class UserError(ValueError):
    """A sentence about what was given, what was expected and what to type instead; shown without a traceback."""

    def __str__(self) -> str:
        return printable(super().__str__())


def printable(text: str) -> str:
    """Spell out control characters, which text of somebody else may hold; line breaks stay."""
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def check_type(option: str, value: object, expected: type, example: object) -> None:
    """Refuse a value of another type, or a number that is not finite; a whole number is a number too."""
    fits = isinstance(value, (int, float) if expected is float else expected)
    if not fits or (isinstance(value, bool) and expected is not bool):
        raise UserError(f"{option}={shown(value)}: expected {expected.__name__}, as in {option}={example}")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{option}={value}: expected a finite number, as in {option}={example}")


def check_whole(option: str, value: object, least: int, most: int | None = None) -> int:
    """Return a whole number between two bounds, both included; refuse any other value."""
    if type(value) is int and value >= least and (most is None or value <= most):
        return value
    bounds = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"
    raise UserError(f"{option}={shown(value)}: expected a whole number {bounds}")


def check_names(option: str, given: object, known: Iterable[str]) -> None:
    """Refuse a value that is no mapping, and names in it that are not among the known ones."""
    names = list(known)
    if not isinstance(given, dict):
        raise UserError(f"{option}={shown(given)}: expected {', '.join(names)}")
    for name in given:
        if name not in names:
            raise UserError(f"{option}.{name} is not an option{nearest(str(name), names)} ({', '.join(names)})")


def check_ids(ids: object, known: Sequence[int]) -> list[int]:
    """Return numbers of tasks, sorted; refuse a list that is empty, has one twice or one that is not known."""
    if not isinstance(ids, Iterable) or isinstance(ids, str):
        raise UserError(f"task.ids={shown(ids)}: expected a list, as in task.ids=[{shown(ids) or 1}]")
    ids = list(ids)
    wrong = [i for i in ids if type(i) is not int or i not in known]
    if wrong or not ids or len(set(ids)) < len(ids):
        raise UserError(
            f"task.ids={ids}: expected different numbers {_listed(known)}"
            + (f", which {wrong[0]} is not" if wrong else "")
            + ", for example task.ids=[1,2,5]"
        )
    return sorted(ids)


def _listed(known: Sequence[int]) -> str:
    if list(known) == list(range(1, len(known) + 1)):
        return f"from 1 to {len(known)}"
    return f"of {', '.join(map(str, known))}"


def nearest(given: str, known: list[str]) -> str:
    """Return "; did you mean 'x'?" for the closest known name, or nothing."""
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.5) or [name for name in known if given in name]
    return f"; did you mean '{close[0]}'?" if close else ""


def shown(value: object) -> str:
    """Spell a value as it is typed on the command line."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def typed(value: object) -> str:
    """Spell a value so that the command line reads it as it is: lists and mappings, and texts with any letters."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{typed(of)}" for name, of in value.items()) + "}"
    if isinstance(value, list | tuple | range):
        return f"[{','.join(map(typed, value))}]"
    text = shown(value)
    if not isinstance(value, str | PurePath) or re.fullmatch(r"[\w./+-]+", text):
        return text
    text = re.sub(r"(\\*)('|$)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{text}'"
