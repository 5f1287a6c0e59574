"""Networks that nobody has trained, loaded as trained ones are."""

from pathlib import Path

from tasks.batch import Sizes
from tests.configs import config
from tests.records import add, put_weights, raw, rewrite
from zoo.pretrained.load import load
from zoo.pretrained.network import Network
from zoo.training.build import build


def network_of(folder: Path, model: str, words: list[str], unlearned: list[str], *options: str) -> Network:
    """A network of a record, not trained at all."""
    sizes = Sizes(len(words), 5, 2)
    settings = config(f"model={model}", *options)["model"]
    file = add(folder, tasks=(1,), model=model)
    rewrite(file, raw(file) | {"settings": raw(file)["settings"] | {"model": settings}})
    parameters = {name: of.detach().numpy() for name, of in build(settings, sizes, seed=1).named_parameters()}
    put_weights(file, {"1": parameters}, sizes, words, [words.index(word) for word in unlearned])
    return load(str(file), task=1)
