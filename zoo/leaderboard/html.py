"""A page as one file: styles, scripts and data put into a template, under a policy that lets nothing else run."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from importlib.resources.abc import Traversable


def assembled(page: Traversable, styles: Iterable[Traversable], scripts: Iterable[Traversable], data: dict) -> str:
    """Fill in a template.

    Args:
        page: has the places {{STYLE}}, {{SCRIPT}} and {{DATA}}, and {{STYLE_HASH}} and {{SCRIPT_HASH}} in its policy.
        styles: one after another.
        scripts: one after another, as one script.
        data: becomes JSON; nothing in it can end the script that holds it.
    """
    style, script = ("\n".join(file.read_text() for file in of) for of in (styles, scripts))
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    parts = {
        "STYLE": style,
        "STYLE_HASH": _hash(style),
        "DATA": text.replace("<", "\\u003c"),
        "SCRIPT": script,
        "SCRIPT_HASH": _hash(script),
    }
    # in one pass: what is put in is not searched again
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page.read_text())


def _hash(text: str) -> str:
    """Digest a style or a script, as a policy names those that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
