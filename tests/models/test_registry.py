import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from models.base import Recommender
from models.registry import check_folds_in, create_model, model_class, model_config, model_entry, model_names
from topshelf.errors import CannotFoldIn, InvalidConfig, UnknownModel


def test_every_name_gives_the_model_of_that_name() -> None:
    for name in model_names():
        assert issubclass(model_class(name), Recommender)
        assert model_class(name).name == name


def test_what_is_known_of_a_model_before_it_is_imported_is_what_its_class_says() -> None:
    for name in model_names():
        entry, found = model_entry(name), model_class(name)
        assert (entry.queue, entry.layout) == (found.queue, found.layout), name
        assert type(model_config(name)) is found.config_class, name


def test_who_folds_in_is_known_before_the_model_is_imported() -> None:
    for name in model_names():
        if create_model(name).folds_in:
            check_folds_in(name)
        else:
            with pytest.raises(CannotFoldIn, match=name):
                check_folds_in(name)


def test_every_library_of_a_model_comes_with_an_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name in model_names():
        if library := model_entry(name).library:
            assert any(line.startswith(library.name) for line in extras[library.extra])


def test_every_model_cites_its_source() -> None:
    for name in model_names():
        assert re.search(r"\b(19|20)\d\d\b", model_class(name).__doc__ or ""), name


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"no model is named 'item_kn'; did you mean 'item_knn'\?"):
        create_model("item_kn")


def test_a_name_like_no_other_lists_them_all() -> None:
    with pytest.raises(UnknownModel, match=", ".join(model_names())):
        model_class("zzz")


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("als", {"factor": 8}, "'factor' is not a hyper-parameter; did you mean 'factors'?"),
        ("als", {"iteration": 8, "alfa": 1}, "did you mean 'alpha'?"),
        ("als", {"factors": 0}, "factors: Input should be greater than or equal to 1, not 0"),
        ("als", {"alpha": float("nan")}, "alpha: Input should be a finite number"),
        ("als", {"regularization": "much"}, "regularization: Input should be a valid number"),
        ("item_knn", {"weighting": "cosin"}, "weighting: Input should be 'cosine', 'tfidf' or 'bm25'"),
        ("popular", {"qqq": 1}, "'qqq' is not a hyper-parameter (by are)"),
    ],
)
def test_a_bad_configuration_says_what_is_wrong(name: str, params: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidConfig) as raised:
        create_model(name, params)
    assert said in str(raised.value)


def test_a_configuration_of_another_model_is_refused() -> None:
    with pytest.raises(InvalidConfig, match="als wants a AlsConfig, not a PopularConfig"):
        model_class("als")(model_config("popular"))


def test_threads_start_at_one() -> None:
    with pytest.raises(InvalidConfig, match="threads"):
        create_model("als", threads=0)


def test_a_configuration_is_frozen_and_complete() -> None:
    config = model_config("als", {"factors": 8})
    assert config.model_dump()["factors"] == 8
    with pytest.raises(ValueError, match="frozen"):
        config.factors = 9  # type: ignore[attr-defined]


def test_an_unknown_device_falls_back_to_the_cpu() -> None:
    assert create_model("popular", device="cuda:0").device == "cpu"


def test_implicit_is_imported_only_to_train() -> None:
    program = (
        "import sys; from models.registry import create_model; import models.artifacts, models.training;"
        "[create_model(name) for name in ('popular', 'als', 'bpr', 'item_knn', 'user_knn', 'blend')];"
        "sys.exit('implicit' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
