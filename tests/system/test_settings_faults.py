"""A settings error stops the start of every service, with all faults listed at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from topshelf.settings import process_environment

FAULTY = {
    "TOPSHELF_API_PORT": "eighty",
    "TOPSHELF_TOKEN_READ": "x",
    "TOPSHELF_LEASE_SECONDS": "7200",
    "TOPSHELF_TASK_LIMIT_SECONDS": "3600",
    "TOPSHELF_SENTRY_DSN": "no dsn",
    "TOPSHELF_NEPTUNE_TOKEN_FILE": "/nowhere/token",
    "TOPSHELF_RULES_FILE": "/nowhere/rules.json",
    "TOPSHELF_NIGHTLY_CRON": "99 3 * * *",
    "TOPSHELF_MODELS": "alz",
    "TOPSHELF_FLOWER_PORT": "6390",
}
BY_ALL = ("API_PORT", "TOKEN_READ", "TASK_LIMIT_SECONDS", "NEPTUNE_TOKEN_FILE")
BY_READERS = ("SENTRY_DSN",)
BY_CELERY = ("RULES_FILE", "NIGHTLY_CRON", "MODELS")
SERVICES = {
    "api": (*BY_ALL, *BY_READERS, "TOKENS_READ"),
    "topshelf api": (*BY_ALL, *BY_READERS, "TOKENS_READ"),
    "topshelf worker": (*BY_ALL, *BY_CELERY),
    "topshelf beat": (*BY_ALL, *BY_CELERY),
    "topshelf flower": (*BY_ALL, *BY_CELERY, "FLOWER_PASSWORD"),
    "topshelf exporter": BY_ALL,
    "topshelf up": (*BY_ALL, *BY_READERS, *BY_CELERY, "FLOWER_PORT"),
    "topshelf demo": (*BY_ALL, *BY_READERS, *BY_CELERY),
}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_says_all_that_is_wrong_and_starts_nothing(service: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *service.split()],
        env=process_environment() | FAULTY | {"TOPSHELF_DATA_DIR": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert not [name for name in SERVICES[service] if f"TOPSHELF_{name}" not in done.stderr], done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()
