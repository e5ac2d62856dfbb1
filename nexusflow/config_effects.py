"""Settings that have no effect beside others: refused in a file, and set back in one that is written."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from nexusflow.errors import Problem, Severity

NO_EFFECT = "no_effect"


def without(setting: str, reason: str) -> PydanticCustomError:
    """What a validator raises of a setting that cannot have an effect."""
    return PydanticCustomError(NO_EFFECT, "{setting} {reason}", {"setting": setting, "reason": reason})


def without_effect(config: Any) -> dict[str, str]:
    """The places, in dots, of values that change nothing in a RunConfig, each with the reason.

    Defaults are none of them: a file may say what holds anyway.
    """
    network, training, split = config.architecture, config.training, config.training.split_config
    experts = network.use_moe or any(d.use_moe for d in config.datasets)
    attends = any(d.transformer_type != "tabnet" and d.flash_attention is None for d in config.datasets)
    idle = {
        "num_experts": not experts and "use_moe is true nowhere",
        "use_flash_attn": not attends and "no dataset has attention over columns that this could say it for",
        "convergence_threshold": network.refinement_iterations == 1 and "there is one refinement pass",
        "rows_per_key": not network.hops and "with hops: 0 no other rows are read",
        "cross_attention": not network.hops and "with hops: 0 there is one table",
        "top_k_contexts": (not network.cross_attention and "cross_attention is false")
        or (not network.hops and "with hops: 0 there is one table"),
    }
    places = {f"architecture.{name}": why for name, why in idle.items() if why and _changed(network, name)}
    if not training.early_stopping and _changed(training, "patience"):
        places["training.patience"] = "early_stopping is false"
    by_time, at_random = ("validation_from", "test_from"), ("seed", "group_by")
    for name in by_time if split.randomize else at_random:
        if _changed(split, name):
            kind = "true: the split is drawn" if split.randomize else "false: the split goes by time"
            places[f"training.split_config.{name}"] = f"randomize is {kind}"
    return places


def idle_problem(setting: str, why: str) -> Problem:
    """A value without effect as an error."""
    message = f"{setting} has no effect here: {why}."
    return Problem(severity=Severity.ERROR, message=message, fix="Remove it.", setting=setting)


def effective(config: Any) -> dict[str, Any]:
    """A whole RunConfig as plain values; those that change nothing are the defaults."""
    data = config.model_dump(mode="json")
    for place in without_effect(config):
        *path, last = place.split(".")
        part, settings = data, config
        for name in path:
            part, settings = part[name], getattr(settings, name)
        part[last] = type(settings).model_fields[last].default
    return data


def _changed(settings: BaseModel, name: str) -> bool:
    return bool(getattr(settings, name) != type(settings).model_fields[name].default)
