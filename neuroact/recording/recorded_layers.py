"""The layers of a recording, by name; printed, they are a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import SupportsIndex

from neuroact.by_name import ByName
from neuroact.errors import UnknownLayerError
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import nearest
from neuroact.printable import printable

_HEAD = ("layer", "class", "framework", "kind", "read")


class RecordedLayers(ByName[LayerInfo]):
    """What is known of each recorded layer before it is called, by name or position.

    They are in the model's order. Printed, they are a table that says how each layer is read.

    Args:
        layers: the layers.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.RNN(3, 4))
    >>> print(neuroact.record(net, layers=["0", "1"], axes="TBN").layers)
    layer  class  framework  kind    read
    -----  -----  ---------  ------  -----------------------
    0      ReLU   torch      analog  axes TBN
    1      RNN    torch      analog  by the adapter of torch
    """

    def __init__(self, layers: Iterable[LayerInfo]) -> None:
        self._layers = {layer.name: layer for layer in layers}

    def __getitem__(self, name: str | SupportsIndex) -> LayerInfo:
        """The layer of that name, or the one at that position.

        Raises:
            KeyError: there is none. The message shows the nearest names.
            IndexError: there is no such position.
        """
        name = self._name_of(name)
        if name not in self._layers:
            raise NotRecordedError(name, tuple(self._layers))
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __str__(self) -> str:
        rows = [_HEAD, *(_row(layer) for layer in self.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, tuple("-" * width for width in widths))
        padded = (map(str.ljust, row, widths) for row in rows)
        return "\n".join("  ".join(cells).rstrip() for cells in padded)


class NotRecordedError(UnknownLayerError, KeyError):
    """A recording has no layer of the name that was asked for."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        super().__init__(
            f"the recording has no layer {name!r}.{nearest(name, names)} There are: "
            + (", ".join(names) or "none"),
            layer=name,
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


def _row(layer: LayerInfo) -> tuple[str, ...]:
    cells = layer.name, layer.layer_type, layer.framework, layer.kind.value, layer.read_as
    return tuple(map(printable, cells))
