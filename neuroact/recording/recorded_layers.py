"""The layers of a recording, by name; printed, they are a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from neuroact.layers.layer_info import LayerInfo
from neuroact.printable import printable

_HEAD = ("layer", "class", "framework", "kind", "read")


class RecordedLayers(Mapping[str, LayerInfo]):
    """What is known of each recorded layer before it is called, by name, in the model's order.

    As text it is a table that says how each layer is read.

    Args:
        layers: the layers.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.RNN(3, 4))
    >>> neuroact.record(net, layers=["0", "1"], axes="TBN").layers
    layer  class  framework  kind    read
    -----  -----  ---------  ------  -----------------------
    0      ReLU   torch      analog  axes TBN
    1      RNN    torch      analog  by the adapter of torch
    """

    def __init__(self, layers: Iterable[LayerInfo]) -> None:
        self._layers = {layer.name: layer for layer in layers}

    def __getitem__(self, name: str) -> LayerInfo:
        return self._layers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __repr__(self) -> str:
        rows = [_HEAD, *(_row(layer) for layer in self.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rows.insert(1, tuple("-" * width for width in widths))
        padded = (map(str.ljust, row, widths) for row in rows)
        return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _row(layer: LayerInfo) -> tuple[str, ...]:
    cells = layer.name, layer.layer_type, layer.framework, layer.kind.value, layer.read_as
    return tuple(map(printable, cells))
