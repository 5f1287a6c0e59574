"""A configuration → a run before it is made: data read, sizes known, identity settled."""

from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from tasks.corpus import Data
from tasks.errors import UserError, check_type
from zoo import records
from zoo.families import family_of
from zoo.families.board import Family
from zoo.runs.compose import compose_config
