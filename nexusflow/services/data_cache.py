"""Where the index and the encoded columns of tables are kept between runs, and for whom it pays.

They lie in `cache/` below `home()`, for workbench, commands and programs alike, and can be thrown away at any time.
"""

import logging
import math
import os
from collections.abc import Callable, Collection

from nexusflow.data.cache import Cache, Held
from nexusflow.data.tables import TableSet
from nexusflow.errors import ConfigError
from nexusflow.services.storage import home

log = logging.getLogger(__name__)

FOLDER = "cache"
# The most that is kept, in gigabytes, unless the environment says otherwise; 0 keeps nothing.
LIMIT_SETTING, LIMIT_GB = "NEXUSFLOW_CACHE_GB", 10.0
# Fewer rows are indexed and encoded in the time that it takes to digest the tables and to open the files.
LEAST_ROWS = 100_000


def data_cache(tables: TableSet, say: Callable[[str], None] | None = None) -> Cache:
    """What reads these tables once for all that it is handed to: from disk, where they are large.

    `say` is told what was damaged or could not be kept (default: a warning in the program's log). ConfigError where
    the limit is no number.
    """
    limit = _limit_bytes()
    if not limit or sum(len(tables[name]) for name in tables) < LEAST_ROWS:
        return Held()
    from nexusflow.data.cache_disk import OnDisk
    from nexusflow.data.cache_files import ArrayFiles

    return Held(OnDisk(ArrayFiles(home() / FOLDER, limit, say or log.warning)))


def forget(tables: Collection[str]) -> None:
    """Remove what was kept of the tables with these digests, because they themselves are removed."""
    from nexusflow.data.cache_files import ArrayFiles

    ArrayFiles(home() / FOLDER, 0, log.warning).forget(tables)


def _limit_bytes() -> int:
    text = os.environ.get(LIMIT_SETTING, "").strip()
    try:
        limit = float(text or LIMIT_GB)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise ConfigError(
            f"{LIMIT_SETTING} must be a number of gigabytes, such as 10, or 0 to keep nothing; it is {text!r}."
        )
    return int(limit * 1e9)
