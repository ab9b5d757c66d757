"""A GPU is used where there is one, and nothing is left behind on the CPU: checked on a device that is made up.

The made-up device is the CPU with a mark on each tensor. As CUDA would, it refuses operations on tensors of both, and
to turn its tensors into arrays.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from panels import waves
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from brownout.domain.forecast_request import ForecastRequest
from brownout.forecasting.lstm_settings import LstmSettings
from brownout.forecasting.network import lstm, training
from brownout.forecasting.network.architecture import QuantileLstm
from brownout.forecasting.network.device import fastest
from brownout.forecasting.network.lstm import LstmForecaster

TINY = LstmSettings(context=96, horizon=24, hidden=8, steps=4, batch=8)


class MadeUp(TorchDispatchMode):
    """The device and what it watches over; as a context, new tensors are made on it."""

    type = "made-up"

    def __init__(self) -> None:
        super().__init__()
        self.here, self.marks, self.operations = 0, WeakTensorKeyDictionary(), 0

    def on(self, tensor: torch.Tensor) -> bool:
        return tensor in self.marks

    def moved(self, tensor: torch.Tensor) -> torch.Tensor:
        copy = tensor.clone()
        self.marks[copy] = True
        return copy

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.copy_.default:  # goes from one device to another
            return func(*args, **(kwargs or {}))
        read = args[:1] if func is torch.ops.aten.index.Tensor and self.on(args[0]) else (args, kwargs)
        given = [leaf for leaf in tree_leaves(read) if isinstance(leaf, torch.Tensor)]  # CUDA takes indices of the CPU
        marked = [self.on(tensor) for tensor in given]
        if any(marked):
            self.operations += 1
            left = [t.shape for t, mark in zip(given, marked, strict=True) if not mark and t.dim()]
            assert not left, f"{func} was given tensors of the CPU: {left}"
        made = func(*args, **(kwargs or {}))
        if any(marked) or (not given and self.here):
            for leaf in tree_leaves(made):
                if isinstance(leaf, torch.Tensor):
                    self.marks[leaf] = True
        return made


class Place:
    """What is handed over as a ``torch.device``."""

    type = "made-up"

    def __init__(self, watch: MadeUp) -> None:
        self.watch = watch

    def __enter__(self) -> None:
        self.watch.here += 1

    def __exit__(self, *_: object) -> None:
        self.watch.here -= 1


@contextmanager
def one_thread(*_: object) -> Iterator[Any]:
    """Instead of threads, which no mode of torch reaches into."""

    class Inline:
        map = staticmethod(map)

    yield Inline()


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    watch = MadeUp()
    made = Place(watch)
    to: Callable[..., Any] = torch.Tensor.to
    numpy: Callable[..., Any] = torch.Tensor.numpy
    tensor: Callable[..., Any] = torch.tensor

    sharing = training._sharing

    def replica(network: QuantileLstm) -> QuantileLstm:  # .data passes no operation either
        return network_to(sharing(network), made)

    def network_to(network: QuantileLstm, device: object) -> QuantileLstm:
        for parameter in network.parameters() if device is made else ():
            watch.marks[parameter] = True
        return network

    def as_array(tensor: torch.Tensor) -> np.ndarray:
        assert not watch.on(tensor), "a tensor of the device was made an array"
        return numpy(tensor)  # type: ignore[no-any-return]

    def moved(tensor: torch.Tensor, *where: Any, **more: Any) -> torch.Tensor:
        return watch.moved(tensor) if where and where[0] is made else to(tensor, *where, **more)

    def new(values: object, **how: Any) -> torch.Tensor:  # what it is made from passes no operation
        return watch.moved(tensor(values, **how)) if watch.here else tensor(values, **how)

    monkeypatch.setattr(torch.Tensor, "to", moved)
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.from_numpy(numpy(tensor).copy()))
    monkeypatch.setattr(torch.Tensor, "numpy", as_array)
    monkeypatch.setattr(torch, "tensor", new)
    monkeypatch.setattr(QuantileLstm, "to", network_to)
    monkeypatch.setattr(QuantileLstm, "device", made)
    monkeypatch.setattr(training, "_sharing", replica)
    monkeypatch.setattr(training, "side_by_side", one_thread)
    monkeypatch.setattr(lstm, "side_by_side", one_thread)
    with watch:
        yield made


def test_the_fastest_device_is_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert fastest().type == expected
        assert LstmForecaster(TINY).device.type == expected


def test_training_and_forecasts_stay_on_the_device_and_are_those_of_the_cpu(
    request: pytest.FixtureRequest,
) -> None:
    cpu = torch.device("cpu")
    champion = LstmForecaster(TINY, device=cpu).fit([waves()])
    asked = ForecastRequest(waves(), [400], 24)
    expected = LstmForecaster(TINY, device=cpu).fit([waves(seed=1)], champion=champion).predict(asked)
    place: Place = request.getfixturevalue("place")
    again = LstmForecaster(TINY, device=place).fit([waves()])  # type: ignore[arg-type]
    warm = LstmForecaster(TINY, device=place).fit([waves(seed=1)], champion=again)  # type: ignore[arg-type]
    made = warm.predict(ForecastRequest(waves(), [400], 24))
    np.testing.assert_allclose(made.values, expected.values, rtol=1e-5)
    assert place.watch.operations > 1000
