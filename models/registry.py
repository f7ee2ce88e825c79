"""Models by name. A model's file, and the library behind it, is imported when it is asked for."""

import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from models.base import ModelConfig, Recommender
from topshelf.errors import InvalidConfig, UnknownModel

_CLASSES: Mapping[str, tuple[str, str]] = {
    "popular": ("models.popular", "Popular"),
    "popular_in_category": ("models.popular_in_category", "PopularInCategory"),
    "item_knn": ("models.item_knn", "ItemKnn"),
    "user_knn": ("models.user_knn", "UserKnn"),
    "als": ("models.als", "Als"),
    "bpr": ("models.bpr", "Bpr"),
    "lightfm": ("models.lightfm", "LightFm"),
    "lightfm_ann": ("models.lightfm_ann", "LightFmAnn"),
    "ease": ("models.ease", "Ease"),
    "edlae": ("models.edlae", "Edlae"),
    "blend": ("models.blend", "Blend"),
    "denoising_ae": ("models.deep.denoising_ae", "DenoisingAe"),
    "variational_ae": ("models.deep.variational_ae", "VariationalAe"),
    "dssm": ("models.deep.dssm", "Dssm"),
}

_LIBRARIES: Mapping[str, tuple[str, str]] = {
    "models.lightfm": ("lightfm", "lightfm"),
    "models.lightfm_ann": ("lightfm", "lightfm"),
    "models.deep": ("torch", "deep"),
}
"""What a model of a module or package needs beside the rest, and the extra that brings it."""


def model_names() -> tuple[str, ...]:
    """Every model there is."""
    return tuple(_CLASSES)


def model_class(name: str) -> type[Recommender]:
    """The class of a model.

    Raises:
        UnknownModel: no model has this name.
    """
    if name not in _CLASSES:
        raise UnknownModel(f"no model is named {name!r}{_nearest(name, _CLASSES)}")
    module, attribute = _CLASSES[name]
    found: type[Recommender] = getattr(importlib.import_module(module), attribute)
    return found


def check_installed(name: str) -> None:
    """See that a model exists and that its library is installed, which is not imported.

    Raises:
        UnknownModel: no model has this name.
        InvalidConfig: the library is not installed; names the extra that brings it.
    """
    if name not in _CLASSES:
        raise UnknownModel(f"no model is named {name!r}{_nearest(name, _CLASSES)}")
    module = _CLASSES[name][0]
    library, extra = _LIBRARIES.get(module) or _LIBRARIES.get(module.rpartition(".")[0]) or ("", "")
    if library and importlib.util.find_spec(library) is None:
        raise InvalidConfig(f"{name} needs {library}, which is not installed; install topshelf[{extra}]")


def model_config(name: str, params: Mapping[str, Any] | None = None) -> ModelConfig:
    """The validated configuration of a model; hyper-parameters left out keep their defaults.

    Raises:
        UnknownModel: no model has this name.
        InvalidConfig: naming every unknown hyper-parameter with the nearest right one, and every bad value.
    """
    config_class = model_class(name).config_class
    try:
        return config_class.model_validate(dict(params or {}))
    except ValidationError as exc:
        faults = [_fault(problem, config_class) for problem in exc.errors(include_url=False)]
        raise InvalidConfig(f"{name} cannot be built: {'; '.join(faults)}") from exc


def create_model(
    name: str,
    params: Mapping[str, Any] | None = None,
    *,
    device: str = "cpu",
    seed: int = 0,
    threads: int = 1,
) -> Recommender:
    """An unfitted model.

    Raises:
        UnknownModel, InvalidConfig: as above.
    """
    config = model_config(name, params)
    return model_class(name)(config, device=device, seed=seed, threads=threads)


def _fault(problem: Any, config_class: type[ModelConfig]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{name!r} is not a hyper-parameter{_nearest(name, config_class.model_fields)}"
    return f"{name}: {problem['msg'].removeprefix('Value error, ')}, not {problem['input']!r}"


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f" ({', '.join(known)} are)" if known else " (it has none)"
