"""Neptune, always offline: a dead server blocks ``init_run`` for a minute, and the hosted one is gone.

Each run is written below ``<folder>/<run>/.neptune`` in the client's own offline form. Where there is a
token, the client's own synchronisation sends it to the server that the token or the setting names, and clears
the folder.
"""

import base64
import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import SecretStr

from topshelf.errors import TrackerError
from workers.tracking.fields import TAGS
from workers.tracking.run import Run
from workers.tracking.runs import file_name
from workers.tracking.tracker import Tracker, check_reachable

STATE = "training/state"
_STAGING_PREFIX = ".writing-"


class NeptuneTracker(Tracker):
    """Writes runs that are over with the client in offline mode, and sends them where there is a server.

    Args:
        folder: where they are kept until they are sent.
        project: ``workspace/name`` on the server.
        token: API token; without one everything stays on disk.
        url: base URL of a self-hosted server; empty for the one the token names.
    """

    name = "neptune"
    whole_runs: ClassVar[bool] = True

    def __init__(self, folder: Path, project: str, token: SecretStr, url: str = "") -> None:
        self._folder = folder
        self._project = project
        self._token = token
        self._url = url

    def environment(self) -> dict[str, str]:
        # The client retries a lost connection for an hour of its own accord.
        return {"NEPTUNE_SYNC_BATCH_TIMEOUT": "10", "GIT_PYTHON_REFRESH": "quiet"}

    def secret_environment(self) -> dict[str, str]:
        token = token_for(self._url, self._token.get_secret_value())
        return {"NEPTUNE_API_TOKEN": token} if token else {}

    def send(self, run: Run, since: int) -> None:  # noqa: ARG002 -- a run is written whole
        kept = self._folder / file_name(run.id)
        if kept.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_STAGING_PREFIX}*"):
            shutil.rmtree(left)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self._folder))
        try:
            _write(run, self._project, staging)
            staging.rename(kept)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def has_undelivered(self) -> bool:
        return bool(self._token.get_secret_value()) and next(self._kept(), None) is not None

    def deliver(self) -> None:
        from neptune.common.exceptions import NeptuneException  # noqa: PLC0415 -- takes a second
        from neptune.internal.backends.hosted_neptune_backend import HostedNeptuneBackend  # noqa: PLC0415
        from neptune.internal.credentials import Credentials  # noqa: PLC0415

        try:
            credentials = Credentials.from_token(token_for(self._url, self._token.get_secret_value()))
            check_reachable(credentials.api_url_opt or credentials.token_origin_address)
            self.deliver_to(HostedNeptuneBackend(credentials))
        except NeptuneException as error:
            raise TrackerError(f"Neptune did not take what is kept: {error}") from error

    def deliver_to(self, backend: Any) -> None:
        """Send what is kept through one of the client's backends; what was sent is removed.

        Raises:
            TrackerError: the project does not exist, or a run was not taken.
        """
        from neptune.cli.sync import SyncRunner  # noqa: PLC0415
        from neptune.exceptions import CannotSynchronizeOfflineRunsWithoutProject  # noqa: PLC0415

        for kept in self._kept():
            data = kept / ".neptune"
            try:
                SyncRunner.sync_all(backend=backend, base_path=data, project_name=self._project)
            except CannotSynchronizeOfflineRunsWithoutProject as error:
                raise TrackerError(f"Neptune has no project {self._project}; create it there") from error
            if any(path.is_dir() for path in data.glob("*/*")):
                raise TrackerError(f"Neptune did not take the run in {kept}")
            shutil.rmtree(kept)

    def _kept(self) -> Iterator[Path]:
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return (path for path in folders if path.is_dir() and not path.name.startswith("."))


def token_for(url: str, token: str) -> str:
    """The token with the address of another server in it: Neptune's clients look for it nowhere else."""
    if not url or not token:
        return token
    try:
        content = json.loads(base64.b64decode(token))
    except ValueError:
        return token
    content.update(api_address=url, api_url=url)
    return base64.b64encode(json.dumps(content).encode()).decode()


def _write(run: Run, project: str, folder: Path) -> None:
    import neptune  # noqa: PLC0415

    with _working_in(folder):
        handle = neptune.init_run(
            mode="offline",
            project=project,
            name=run.id,
            tags=[run.model, *run.fields.get(TAGS, [])],
            capture_stdout=False,
            capture_stderr=False,
            capture_traceback=False,
            capture_hardware_metrics=False,
            git_ref=False,
            source_files=[],
        )
        handle[STATE] = run.state
        for field, value in run.fields.items():
            handle[field] = value if isinstance(value, bool | int | float | str) else str(value)
        for field, points in run.series.items():
            handle[field].extend(
                [point.value for point in points],
                steps=[point.step for point in points],
                timestamps=[point.at for point in points],
            )
        handle.stop()


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """The client writes ``.neptune`` into the working directory and has no argument for another place."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
