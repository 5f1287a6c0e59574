"""The one exception that means: the person who typed the command can fix this."""

import difflib


class UserError(ValueError):
    """What was given, what was expected, what to type instead; shown without a traceback."""


def nearest(given: str, known: list[str]) -> str:
    """Returns "; did you mean 'x'?" for the closest known name, or nothing."""
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.5) or [name for name in known if given in name]
    return f"; did you mean '{close[0]}'?" if close else ""
