"""Where training runs are logged: one file per tracker, chosen by what is installed."""

from workers.tracking.tracker import SERIES_METRICS, NullTracker, Run, RunInfo, Tracker, create_tracker

__all__ = ["SERIES_METRICS", "NullTracker", "Run", "RunInfo", "Tracker", "create_tracker"]
