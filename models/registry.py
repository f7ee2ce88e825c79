"""Models by name. A model's file, and the library behind it, is imported when its class is asked for."""

import difflib
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from models.base import ModelConfig, Recommender, cannot_fold_in
from topshelf.errors import InvalidConfig, UnknownModel


@dataclass(frozen=True)
class Library:
    """What a model needs beside the rest: its import name, and the extra that brings it."""

    name: str
    extra: str


@dataclass(frozen=True)
class ModelEntry:
    """What is known of a model before its module is imported; its class says the same.

    Attributes:
        path: module and class.
        config: those of its configuration, where ``library`` is not imported either; empty without one.
        queue, layout, folds_in: as of the class.
    """

    path: str
    config: str = ""
    library: Library | None = None
    queue: str = "cpu"
    layout: Literal["users", "segments"] = "users"
    folds_in: bool = False


_LIGHTFM = Library("lightfm", "lightfm")
_TORCH = Library("torch", "deep")


def _deep(path: str, config: str) -> ModelEntry:
    return ModelEntry(
        f"models.deep.{path}", f"models.deep.config:{config}", _TORCH, queue="gpu", folds_in=True
    )


_MODELS: Mapping[str, ModelEntry] = {
    "popular": ModelEntry("models.popular:Popular", layout="segments"),
    "popular_in_category": ModelEntry("models.popular_in_category:PopularInCategory", layout="segments"),
    "item_knn": ModelEntry("models.item_knn:ItemKnn", folds_in=True),
    "user_knn": ModelEntry("models.user_knn:UserKnn"),
    "als": ModelEntry("models.als:Als", folds_in=True),
    "bpr": ModelEntry("models.bpr:Bpr"),
    "lightfm": ModelEntry("models.lightfm:LightFm", "models.lightfm_config:LightFmConfig", _LIGHTFM),
    "lightfm_ann": ModelEntry(
        "models.lightfm_ann:LightFmAnn", "models.lightfm_config:LightFmAnnConfig", _LIGHTFM
    ),
    "ease": ModelEntry("models.ease:Ease", folds_in=True),
    "edlae": ModelEntry("models.edlae:Edlae", folds_in=True),
    "blend": ModelEntry("models.blend:Blend"),
    "denoising_ae": _deep("denoising_ae:DenoisingAe", "AutoencoderConfig"),
    "variational_ae": _deep("variational_ae:VariationalAe", "VariationalAeConfig"),
    "dssm": _deep("dssm:Dssm", "DssmConfig"),
}


def model_names() -> tuple[str, ...]:
    """Every model there is."""
    return tuple(_MODELS)


def model_entry(name: str) -> ModelEntry:
    """What is known of a model without importing it.

    Raises:
        UnknownModel: no model has this name.
    """
    if name not in _MODELS:
        raise UnknownModel(f"no model is named {name!r}{_nearest(name, _MODELS)}")
    return _MODELS[name]


def model_class(name: str) -> type[Recommender]:
    """The class of a model.

    Raises:
        UnknownModel: no model has this name.
        InvalidConfig: its library is not installed; names the extra that brings it.
    """
    entry = model_entry(name)
    _check_library(name, entry)
    found: type[Recommender] = _imported(entry.path)
    return found


def check_installed(name: str, params: Mapping[str, Any] | None = None) -> None:
    """See that a model can be trained here: its library, and those of its components, are installed.

    None is imported.

    Raises:
        UnknownModel: no model has this name.
        InvalidConfig: a library is not installed, naming the extra that brings it, or as of ``model_config``.
    """
    for part in (name, *model_config(name, params).component_models):
        _check_library(part, model_entry(part))


def check_folds_in(name: str, params: Mapping[str, Any] | None = None) -> None:
    """See that a model of these hyper-parameters folds in, without importing it where it has a library.

    Raises:
        CannotFoldIn: it does not.
        UnknownModel, InvalidConfig: as of ``model_config``.
    """
    parts = model_config(name, params).component_models or (name,)
    if not all(model_entry(part).folds_in for part in parts):
        raise cannot_fold_in(name)


def model_config(name: str, params: Mapping[str, Any] | None = None) -> ModelConfig:
    """The validated configuration of a model; hyper-parameters left out keep their defaults.

    Raises:
        UnknownModel: no model has this name.
        InvalidConfig: naming every unknown hyper-parameter with the nearest right one, and every bad value.
    """
    entry = model_entry(name)
    config_class: type[ModelConfig] = (
        _imported(entry.config) if entry.config else model_class(name).config_class
    )
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


def _check_library(name: str, entry: ModelEntry) -> None:
    library = entry.library
    if library and importlib.util.find_spec(library.name) is None:
        raise InvalidConfig(
            f"{name} needs {library.name}, which is not installed; install topshelf[{library.extra}]"
        )


def _imported(path: str) -> Any:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


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
