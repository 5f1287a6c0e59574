"""Where the project lies."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
CONF = ROOT / "conf"
