"""A running ``topshelf up`` and a shell beside it."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from store.embedded import free_port
from tests.waiting import wait_until
from topshelf.settings import Settings, process_environment


class System:
    """Services under a supervisor, on free ports and a folder of their own."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.settings = Settings.from_environment(
            {},
            data_dir=folder / "data",
            cache_dir=folder / "cache",
            api_port=free_port(),
            flower_port=free_port(),
            exporter_port=free_port(),
            metrics_port=free_port(),
            redis_port=free_port(),
            lease_seconds=5,
            reconcile_seconds=1,
            **{"trackers": (), **settings},
        )
        self.environ = process_environment() | self.settings.to_environment()
        self.output = folder / "up.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "topshelf", "up"], env=self.environ, stdout=output, stderr=output
            )

    def wait_until_up(self) -> None:
        """Wait for every service; fails with what was said where one does not start."""
        wait_until(
            lambda: self.said("Ctrl-C stops everything") or self.process.poll() is not None, "everything up"
        )
        assert self.process.poll() is None, self.output.read_text()

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def pid_of(self, service: str) -> int:
        """The process of a service, by a piece of its command."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "--", service],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(found.stdout.split()[0])

    def said(self, text: str) -> bool:
        return text in self.output.read_text(errors="replace")

    def run(self, *command: str, code: int = 0) -> Any:
        """Run a command with --json; its decoded answer."""
        done = subprocess.run(
            [sys.executable, "-m", "topshelf", *command, "--json"],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return json.loads((done.stdout if code == 0 else done.stderr).strip().splitlines()[-1])

    @property
    def admin_token(self) -> str:
        """The one that was made up, where none is set."""
        for token in self.settings.tokens_admin:
            return token.get_secret_value()
        credentials = json.loads((self.settings.data_dir / "credentials.json").read_text())
        return str(credentials["admin"])

    def call(self, method: str, path: str, body: Any = None) -> tuple[Any, Any]:
        """An HTTP call with the admin token; its decoded answer and its headers."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.settings.api_port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.admin_token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own address
            text = answer.read()
            return (json.loads(text) if text else None), answer.headers
