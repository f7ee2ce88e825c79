"""Entry point of Celery's own commands: ``celery -A workers.app worker``."""

from topshelf.settings import Settings
from workers.celery_app import service_app

app = service_app(Settings.from_environment())
