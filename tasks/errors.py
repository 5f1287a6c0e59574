"""The one exception that means: the person who typed the command can fix this."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """What was given, what was expected, what to type instead; shown without a traceback."""


def check_type(option: str, value: object, expected: type, example: object) -> None:
    """Refuses a value of the command line that is of another type; a whole number is a number too."""
    fits = isinstance(value, (int, float) if expected is float else expected)
    if not fits or (isinstance(value, bool) and expected is not bool):
        raise UserError(f"{option}={value}: expected {expected.__name__}, as in {option}={example}")


def check_names(option: str, given: object, known: Iterable[str]) -> None:
    """Refuses what is no mapping, and names in it that nobody knows."""
    names = list(known)
    if not isinstance(given, dict):
        raise UserError(f"{option}={given}: expected {', '.join(names)}")
    for name in given:
        if name not in names:
            raise UserError(f"{option}.{name} is not an option{nearest(str(name), names)} ({', '.join(names)})")


def nearest(given: str, known: list[str]) -> str:
    """Returns "; did you mean 'x'?" for the closest known name, or nothing."""
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.5) or [name for name in known if given in name]
    return f"; did you mean '{close[0]}'?" if close else ""


def check_ids(ids: object, last: int) -> list[int]:
    """The numbers of tasks, 1 to `last`, in order."""
    if not isinstance(ids, Iterable):
        raise UserError(f"task.ids={ids}: expected a list, as in task.ids=[{ids}]")
    ids = list(ids)
    wrong = [i for i in ids if i not in range(1, last + 1)]
    if wrong or not ids or len(set(ids)) < len(ids):
        raise UserError(
            f"task.ids={ids}: expected different numbers from 1 to {last}"
            + (f", which {wrong[0]} is not" if wrong else "")
            + ", for example task.ids=[1,2,5]"
        )
    return sorted(ids)
