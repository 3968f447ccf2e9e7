"""Counts the operations of one product of two activations, fed by hand."""

from __future__ import annotations

import threading
from collections.abc import Mapping

import torch
from torch import Tensor

from neuroact.results.layer_activity import OBSERVED
from neuroact.results.operations import LayerOperations
from neuroact.statistics.states import MOST_COUNT
from neuroact.stream.product import SynapticProduct

COUNTS = ("dense", "acs", "macs", "weighted", "events", "ones", "observations")
NONFINITE = "a NaN or an infinity arrived at it"


class Product:
    """The running counts of one product. Every count is an integer, so any order gives the same.

    Args:
        name: as it is reported.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Forget everything counted."""
        self._counts: dict[str, Tensor] = {}

    def observe(self, product: SynapticProduct) -> None:
        """Count one more call."""
        with torch.inference_mode(False), torch.no_grad():
            self._add(product.counts())

    def add(self, theirs: Product) -> None:
        """Add what another one counted."""
        self._add(theirs.state_dict())

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors, see `SynapticProduct.counts`; empty before the first call."""
        with self.lock:
            state = {name: tensor.clone() for name, tensor in self._counts.items()}
        if state:
            state["weighted"].masked_fill_(state["unreliable"][0], 0)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over counts that `state_dict` returned.

        Raises:
            ValueError: no product can have these counts.
        """
        scalars = all(state[key].dtype is torch.int64 and not state[key].ndim for key in COUNTS)
        unreliable = state["unreliable"]
        if not scalars or unreliable.dtype is not torch.bool or unreliable.shape != (2,):
            raise ValueError("expected a whole number for each count")
        counts = {key: int(state[key]) for key in COUNTS}
        if min(counts.values()) < 0 or max(counts.values()) >= MOST_COUNT:
            raise ValueError("a count is less than none, or too large to be added to")
        if counts["acs"] + counts["macs"] > counts["dense"]:
            raise ValueError("it has more operations than pairs")
        self._counts = dict(state)

    def operations(self) -> LayerOperations | str | None:
        """The operations so far; a text that says why they are not counted; None before a call."""
        state = self.state_dict()
        if not state:
            return None
        not_exact, nonfinite = state["unreliable"].tolist()
        if nonfinite:
            return NONFINITE
        counts = {name: int(state[name]) for name in COUNTS}
        return LayerOperations(
            name=self.name,
            framework=OBSERVED,
            layer_type="product",
            shape=(0,),  # no elements with a fan-out of their own
            output_shape=None,
            connections=0,
            parameters=0,
            bias_additions=0,
            unpruned=counts["acs"] + counts["macs"],
            **counts | {"weighted": None if not_exact else counts["weighted"]},  # type: ignore[arg-type]  # only `weighted` may be None
        )

    def _add(self, counts: Mapping[str, Tensor]) -> None:
        with self.lock:
            ours = self._counts
            if not ours:
                self._counts = dict(counts)
                return
            for name, more in counts.items():
                added = more.to(ours[name].device)
                ours[name] = ours[name] | added if name == "unreliable" else ours[name] + added
