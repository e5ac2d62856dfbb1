"""The settings that say how many processes train: their forms, and what no form of them can mean."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from nexusflow.config_effects import without

Strategy = Literal["ddp", "fsdp", "deepspeed"]
# A count, the numbers of the devices, or all that there are.
Number = Annotated[int, Field(ge=0)]
Devices = Annotated[int, Field(ge=1)] | Annotated[tuple[Number, ...], Field(min_length=1)] | Literal["auto"]

ONE_NAME = "says the same as distributed_strategy, which is given too: leave one of them out"


def one_strategy(data: Any) -> Any:
    """`strategy` read as `distributed_strategy`; given together they are refused."""
    if not isinstance(data, Mapping) or "strategy" not in data:
        return data
    if data.get("distributed_strategy") is not None:
        raise without("strategy", ONE_NAME)
    rest = {name: value for name, value in data.items() if name not in ("strategy", "distributed_strategy")}
    return {**rest, "distributed_strategy": data["strategy"]}


def named_devices(devices: Any) -> Any:
    """The setting where it has one of its forms; ValueError says which there are."""
    if isinstance(devices, list | tuple):
        numbers = [number for number in devices if type(number) is int and number >= 0]
        if numbers and len(numbers) == len(devices):
            if len(set(numbers)) < len(numbers):
                raise ValueError("names a device twice; one process takes each")
            return devices
    elif devices in (None, "auto") or (type(devices) is int and devices >= 1):
        return devices
    raise ValueError("must be a count from 1, a list of numbers such as [0, 1], or auto")
