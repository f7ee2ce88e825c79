"""What fails, is refused or is slow, and how nights go, told to a server that speaks Sentry's protocol."""

from topshelf.reports.monitor import CheckInStatus, Monitor
from topshelf.reports.reports import Place, Reports, check_reports

__all__ = ["CheckInStatus", "Monitor", "Place", "Reports", "check_reports"]
