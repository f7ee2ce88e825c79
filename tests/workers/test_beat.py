from topshelf.settings import Settings
from workers.beat import ReportingBeat
from workers.celery_app import create_app


def test_celery_starts_the_beat_that_reports(settings: Settings) -> None:
    app = create_app(settings)
    assert issubclass(app.Beat, ReportingBeat)
    app.close()
