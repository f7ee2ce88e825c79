"""Services of the compose file as processes of this machine.

A service keeps its command, environment, secrets, folders and health check; only where these lie is put in
terms of this machine. Where the kernel lets us, its root file system is read-only and it has no capability.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from store.embedded import free_port
from tests.deploy.composed import ROOT, Service, image_environment, image_files
from topshelf.settings import process_environment

POLL_SECONDS = 0.1
PORTS = {
    "TOPSHELF_API_PORT": 8000,
    "TOPSHELF_FLOWER_PORT": 5555,
    "TOPSHELF_EXPORTER_PORT": 9540,
}
PROGRAMS = {
    "python": [sys.executable],
    "topshelf": [sys.executable, "-m", "topshelf"],
    "mlflow": [sys.executable, "-m", "mlflow"],
}

ENTRYPOINTS = {"prom/prometheus": ["prometheus"]}
"""What an image of somebody else runs where the command is only options."""

# All that is mounted turns read-only, the scratch folder aside; then every capability goes.
CONFINE = """
set -e
scratch=$1; shift
mount --bind "$scratch" "$scratch"
while read -r _ folder kind _; do
    case "$kind $folder" in
    proc*|sysfs*|dev*|cgroup*|tmpfs\\ /dev*|tmpfs\\ /sys*) ;;
    *\\ "$scratch") ;;
    *) mount -o remount,bind,ro "$folder" ;;
    esac
done < /proc/self/mounts
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all -- "$@"
"""


def confined(scratch: Path) -> list[str]:
    """What a command is put behind to be let write in ``scratch`` alone; empty where that cannot be had."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return []
    prefix = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--",
        "sh",
        "-c",
        CONFINE,
        "sh",
        str(scratch),
    ]
    for words in (["unshare", "--mount", *prefix[4:]], prefix):
        tried = subprocess.run([*words, "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return words
    return []


class Containerless:
    """One service, with its volumes, secrets and ports on this machine.

    Args:
        name: of the service.
        service: as the compose file has it.
        scratch: folder for what the service writes.
        secrets: folder that has a file for each secret.
        replaced: more text to put in the place of other text, wherever it stands.
        environ: more variables.
    """

    def __init__(
        self,
        name: str,
        service: Service,
        scratch: Path,
        secrets: Path,
        replaced: Mapping[str, str],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = scratch / "log"
        self.ports = {port: free_port() for port in _container_ports(service)}
        self._service = service
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None
        self._replaced = {
            **{re.escape(text): other for text, other in replaced.items()},
            **{rf"(?<![\d.]){port}(?!\d)": str(local) for port, local in self.ports.items()},
            r"\b0\.0\.0\.0\b": "127.0.0.1",
            r"\bredis-cli\b": f"redis-cli -p {self.ports.get(6379, 0)}",
        }
        self._mount(secrets)
        self._environ = self._environment() | dict(environ or {})

    def start(self, *, behind: list[str]) -> None:
        """Start the command behind another."""
        argv = [*behind, *self._argv(self._service["command"])]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, env=self._environ, cwd=self._scratch / "home", stdout=log, stderr=log
            )

    def wait_until_healthy(self, timeout_seconds: float = 300) -> None:
        """Run the health check until it passes; an end of the service is a failure."""
        deadline = time.monotonic() + timeout_seconds
        while (checked := self.check_health()).returncode != 0:
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"{checked.stderr}\n{self.said()}"
            time.sleep(POLL_SECONDS)

    def check_health(self) -> subprocess.CompletedProcess[str]:
        """Run the health check once."""
        kind, *words = self._service["healthcheck"]["test"]
        return self.run(words if kind == "CMD" else ["sh", "-c", words[0]])

    def run(
        self, command: list[str], environ: Mapping[str, str] | None = None, *, timeout_seconds: float = 150
    ) -> subprocess.CompletedProcess[str]:
        """Run another command in the surroundings of the service, with more variables."""
        more = {name: self.local(value) for name, value in (environ or {}).items()}
        return subprocess.run(
            self._argv(command),
            env=self._environ | more,
            cwd=self._scratch,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def stop(self) -> int:
        """Ask for the end as the engine does; the exit code. Taking longer than the grace period fails."""
        assert self._process is not None
        self._process.send_signal(signal.Signals[self._service.get("stop_signal", "SIGTERM")])
        grace = float(self._service["stop_grace_period"].removesuffix("s"))
        try:
            return self._process.wait(grace)
        finally:
            self.end()

    def end(self) -> None:
        """Make sure that nothing is left running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def arguments(self) -> list[str]:
        """The command line as the process list shows it."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/cmdline").read_text().split("\0")

    def environment(self) -> str:
        """Its variables as the process list shows them."""
        assert self._process is not None
        return Path(f"/proc/{self._process.pid}/environ").read_text()

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def _mount(self, secrets: Path) -> None:
        for folder in ("home", "secrets"):
            (self._scratch / folder).mkdir(parents=True)
        (self._scratch / "home").chmod(0o555)
        originals = {
            f"/run/secrets/{secret}": secrets / secret for secret in self._service.get("secrets", ())
        } | image_files(self._service)
        places = {"/run/secrets": "secrets"}
        for place in self._service["tmpfs"]:
            target = place.partition(":")[0]
            places[target] = target.strip("/").replace("/", "-")
            (self._scratch / places[target]).mkdir()
        for volume in self._service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            places[target] = target.strip("/").replace("/", "-")
            (self._scratch / places[target]).mkdir()
            if source.startswith("./"):
                files = [path for path in (ROOT / source).rglob("*") if path.is_file()]
                originals |= {f"{target}/{path.relative_to(ROOT / source)}": path for path in files}
        places |= {target: target.strip("/").replace("/", "-") for target in image_files(self._service)}
        for target, folder in places.items():
            self._replaced[rf"(?<![\w.]){re.escape(target)}(?![\w-])"] = str(self._scratch / folder)
        for target, original in originals.items():
            copy = Path(self.local(target))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(self.local(original.read_text()))

    def _environment(self) -> dict[str, str]:
        given = image_environment(self._service) | self._service.get("environment", {})
        given.pop("PATH", None)
        given.pop("PYTHONPATH", None)
        local = {name: self.local(str(value)) for name, value in given.items()}
        ports = {name: str(self.ports[port]) for name, port in PORTS.items() if port in self.ports}
        inherited = process_environment()
        inherited.pop("PYTHONPATH", None)
        places = {"HOME": str(self._scratch / "home"), "TMPDIR": str(self._scratch / "tmp")}
        return inherited | places | local | ports

    def _argv(self, command: list[str]) -> list[str]:
        image = self._service["image"].partition(":")[0]
        entrypoint = ENTRYPOINTS.get(image, []) if command[0].startswith("-") else []
        program, *arguments = [*entrypoint, *(self.local(word) for word in command)]
        return [*PROGRAMS.get(program, [program]), *arguments]

    def local(self, text: str) -> str:
        """``text`` with everything replaced in one pass, so that nothing is replaced twice."""
        others = list(self._replaced.values())
        pattern = "|".join(f"({one})" for one in self._replaced)
        return re.sub(pattern, lambda found: others[(found.lastindex or 1) - 1], text)


def _container_ports(service: Service) -> list[int]:
    published = [int(port.rsplit(":", 1)[1]) for port in service.get("ports", ())]
    dockerfile = service.get("build", {}).get("dockerfile", "")
    exposed = (
        re.findall(r"^EXPOSE (.+)$", (ROOT / dockerfile).read_text(), re.MULTILINE) if dockerfile else []
    )
    redis = [6379] if str(service.get("image", "")).startswith("redis:") else []
    return sorted({*published, *(int(port) for line in exposed for port in line.split()), *redis})
