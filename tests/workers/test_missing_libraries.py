"""A service without the library of a model that it does not train, and one that has no use for it."""

import subprocess
import sys

import pytest

from interactions.dataset import Dataset
from topshelf.settings import Settings, process_environment
from workers.dispatch import Dispatcher
from workers.runtime import Runtime

WITHOUT = "import sys; sys.modules.update(dict.fromkeys(('torch', 'lightfm')))"
IMPORTS = """
from topshelf.settings import Settings
from workers.celery_app import create_app
from workers.checks import CHECKS, WORKER_CHECKS
from workers.dispatch import Dispatcher
from workers.schedules import schedules_of
"""


def said_by(*lines: str, settings: Settings) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)],
        env=process_environment() | settings.to_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_beat_flower_and_a_worker_of_other_queues_start_without_the_library(settings: Settings) -> None:
    program = """
settings = Settings.from_environment(checks=CHECKS)
Settings.from_environment(queues=("cpu", "io"), checks=WORKER_CHECKS)
dispatcher = Dispatcher(create_app(settings))
print(schedules_of(settings).models, [dispatcher.queue_of(model, "train") for model in settings.models])
"""
    deep = settings.model_copy(update={"models": ("dssm", "popular")})
    assert said_by(WITHOUT, IMPORTS, program, settings=deep) == "('dssm', 'popular') ['gpu', 'cpu']\n"


@pytest.mark.parametrize(
    ("model", "queues", "said"),
    [
        ("dssm", ("gpu",), "dssm needs torch, which is not installed; install topshelf[deep]"),
        (
            "lightfm_ann",
            ("cpu",),
            "lightfm_ann needs lightfm, which is not installed",
        ),
        ("dssm", ("io",), "nothing"),
        ("lightfm_ann", ("gpu", "io"), "nothing"),
    ],
)
def test_a_worker_is_asked_for_the_libraries_of_its_own_queues(
    settings: Settings, model: str, queues: tuple[str, ...], said: str
) -> None:
    program = """
from topshelf.errors import SettingsError
try:
    Settings.from_environment(checks=WORKER_CHECKS)
    print("nothing")
except SettingsError as error:
    print(error)
"""
    asked = settings.model_copy(update={"models": (model,), "queues": queues})
    assert said in said_by(WITHOUT, IMPORTS, program, settings=asked)


def test_hyper_parameters_are_checked_without_the_library(settings: Settings) -> None:
    program = """
from models.registry import model_config
from topshelf.errors import InvalidConfig
for model in ("dssm", "denoising_ae", "variational_ae", "lightfm", "lightfm_ann"):
    try:
        model_config(model, {"epoch": 3})
    except InvalidConfig as error:
        print("did you mean 'epochs'?" in str(error))
model_config("blend", {"components": [{"model": "dssm"}, {"model": "lightfm"}]})
"""
    assert said_by(WITHOUT, program, settings=settings) == "True\n" * 5


def test_a_job_is_admitted_without_the_library_and_sent_to_who_has_it(
    settings: Settings, runtime: Runtime, dispatcher: Dispatcher, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("pipeline", "dssm", params={"config": {"epochs": 1}})
    before = dispatcher.waiting("gpu")
    program = f"""
from workers.tasks.pipeline import pipeline
app = create_app(Settings.from_environment())
print(pipeline(app.runtime, Dispatcher(app), {job.id!r}).sentence)
"""
    said = said_by(WITHOUT, IMPORTS, program, settings=settings)
    assert said == f"dssm: train on dataset {dataset.version} is sent\n"
    assert dispatcher.waiting("gpu") == before + 1


def test_training_without_the_library_ends_the_job_and_names_the_extra(
    settings: Settings, runtime: Runtime, dataset: Dataset
) -> None:
    job, _ = runtime.jobs.create("train", "dssm")
    program = f"""
from workers.tasks.train import train
app = create_app(Settings.from_environment())
train(app.runtime, Dispatcher(app), {job.id!r})
"""
    said_by(WITHOUT, IMPORTS, program, settings=settings)
    ended = runtime.jobs.get(job.id)
    assert (ended.state, (ended.error or {})["error_key"]) == ("failed", "config_invalid")
    assert "install topshelf[deep]" in (ended.error or {})["error_message"]


def test_an_app_imports_no_library_that_only_training_needs(settings: Settings) -> None:
    program = """
import sys
settings = Settings.from_environment(checks=WORKER_CHECKS)
Dispatcher(create_app(settings)).queue_of("dssm", "train")
print(sorted({"torch", "lightfm"} & sys.modules.keys()))
"""
    both = settings.model_copy(update={"models": ("dssm", "lightfm_ann", "variational_ae")})
    assert said_by(IMPORTS, program, settings=both) == "[]\n"
