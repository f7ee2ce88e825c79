"""Beat, which tells Sentry what ends it."""

from celery.apps.beat import Beat

from topshelf.reports import Place, Reports


class ReportingBeat(Beat):  # type: ignore[misc]  # celery has no types
    """Celery's beat; a crash is reported before the process is left."""

    def start_scheduler(self) -> None:
        """Send what is due until a signal comes."""
        reports = Reports(self.app.settings, "beat")
        try:
            super().start_scheduler()
        except Exception as error:
            reports.failed(error, Place("beat", {"task": "beat"}))
            raise
        finally:
            reports.close()
