"""Training runs: written down beside the data, and told from there to every tracker that is on.

Only ``workers.tracking.__main__``, a process of its own, imports a tracker's library.
"""

from workers.tracking.fields import SERIES_METRICS, RunInfo
from workers.tracking.run import Run
from workers.tracking.runs import RunLog, Runs

__all__ = ["SERIES_METRICS", "Run", "RunInfo", "RunLog", "Runs"]
