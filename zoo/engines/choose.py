"""engine=… and engine.name=… → an engine."""

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from hydra.utils import get_class, instantiate
from omegaconf.errors import OmegaConfBaseException

from tasks.errors import UserError, nearest
from zoo.engines import Engine
from zoo.paths import CONF, choices, conf_folders


def engine_of(arguments: list[str]) -> Engine:
    """Make the engine of `engine=NAME engine.name=value …`; without a name, engine=local."""
    words = dict(word.lstrip("+").partition("=")[::2] for word in arguments)
    name, known = words.get("engine", "local"), choices("engine")
    if name not in known:
        raise UserError(f"engine '{name}' is not known{nearest(name, list(known))}; there are: {', '.join(known)}")
    own = [f"hydra.searchpath=[file://{folder}]" for folder in conf_folders()[1:]]
    options = [word for word in arguments if not word.startswith("engine=")]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(overrides=[f"+engine={name}", *options, *own]).engine
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(
            f"{' '.join(options)}: {str(error).splitlines()[0]}; conf/engine/{name}.yaml lists the options of this "
            "engine, and others that it takes need a plus: +engine.NAME=VALUE"
        ) from None
    try:
        target = get_class(config["_target_"])
    except ImportError as error:
        raise UserError(f"engine={name}: {error}; pip install -e '.[{name}]' brings what it needs") from None
    engine: Engine = instantiate(config, _convert_="all")
    assert isinstance(engine, target)
    return engine
