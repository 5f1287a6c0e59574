"""zoo new NAME from=memn2n

Write the two files of a variant: a class that inherits from a model, and a yaml that takes over its options. In a
checkout they go to zoo/models/ and conf/model/; elsewhere to NAME.py and conf/model/NAME.yaml of the working folder.
Then zoo check NAME says whether anything is missing, and zoo run model=NAME task=babi trains it.
"""

import importlib.util
import keyword
import re
from datetime import date
from operator import methodcaller
from pathlib import Path

from tasks.errors import UserError, nearest
from tasks.files import write_atomically
from zoo.commands import Given, Grammar
from zoo.paths import CONF, IS_CHECKOUT, ROOT, choices
from zoo.training.build import class_of

GRAMMAR = Grammar(names=("name", "from"), required=("name",), bare="name")

MODULE = '''"""{title}: {parent} with [say in a few words what differs].

Paper: [authors], [year], "[title]" ([link]).
Symbols: those of {origin}.py.
Deviations: those of {origin}.py.
"""

from zoo.interface import Paper
from {parent_module} import {parent}


class {title}({parent}):
    """{parent}; only [name the method] differs."""

    paper = Paper("[authors]", {year}, "[title]", "https://example.org")

    # Override one of encode, write, read, respond, or a method that they call. For one more option:
    #
    #     def __init__(self, *, sharpness: float = 1.0, **inherited) -> None:
    #         super().__init__(**inherited)
    #         self.sharpness = sharpness
    #
    # and a line `sharpness: 1.0` in conf/model/{name}.yaml.
'''
YAML = """# {title}: {parent} with [say in a few words what differs]
defaults: [{origin}, _self_]
_target_: {module}.{title}
"""


def main(given: Given) -> None:
    name, origin = given["name"], given.get("from") or "memn2n"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"'{name}': expected small letters, digits and _, as in my_memory, and no word of Python's own")
    models = choices("model")
    if origin not in models:
        raise UserError(f"from={origin}: no such model{nearest(origin, list(models))} ({', '.join(models)})")
    if name in models:
        raise UserError(f"{name} is a model already; choose another name")
    parent = class_of(origin)
    title = "".join(word.capitalize() for word in name.split("_"))
    if keyword.iskeyword(title) or title == parent.__name__:
        raise UserError(f"{name}: its class would be {title}, a name that is taken; choose another name")
    module = f"zoo.models.{name}" if IS_CHECKOUT and Path.cwd().resolve() == ROOT else name
    folder, conf = (ROOT / "zoo" / "models", CONF) if module != name else (Path(), Path("conf"))
    words = {
        "name": name, "title": title, "origin": origin, "parent": parent.__name__, "module": module,
        "parent_module": parent.__module__, "year": date.today().year,
    }  # fmt: skip
    files = {folder / f"{name}.py": MODULE, conf / "model" / f"{name}.yaml": YAML}
    if module == name and importlib.util.find_spec(name):
        raise UserError(f"{name} is a module of Python, or of a library; choose another name")
    for file in files:
        if file.exists():
            raise UserError(f"{file} is there already; choose another name, or remove it")
    for file, template in files.items():
        text = template.format(**words)
        write_atomically(file, methodcaller("write", text.encode()))
        print(f"written: {file}")
    print(f"next: zoo check {name}, then zoo run model={name} task=babi")
