"""zoo push FOLDER OWNER/NAME

Upload a folder that zoo export has written to a repository of the Hugging Face Hub, which is made if it does not exist.
It needs huggingface-hub (pip install -e '.[hub]') and a token (hf auth login, or HF_TOKEN). In Python,
zoo.load("hub:OWNER/NAME") loads it again.
"""

import re
from pathlib import Path

from tasks.errors import UserError
from zoo.commands import Given, Grammar
from zoo.pretrained.export import push

GRAMMAR = Grammar(several=True)


def main(given: Given) -> None:
    if len(given.bare) != 2 or not re.fullmatch(r"[\w.-]+/[\w.-]+", given.bare[1]):
        raise UserError("expected a folder and OWNER/NAME, as in zoo push milk me/memn2n-milk")
    print(f"uploaded: {push(Path(given.bare[0]), given.bare[1])}")
