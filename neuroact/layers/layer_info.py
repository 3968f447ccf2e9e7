"""What is known about a recorded layer before it is called."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuroact.card import Carded
from neuroact.stream.chunk import SignalKind


@dataclass(frozen=True, slots=True, repr=False)
class LayerInfo(Carded):
    """What is known about a recorded layer before it is called.

    Attributes:
        name: reported name, the module's qualified name in the model.
        aliases: other names of the same module in the model; and its name in what the model was
            built from, such as that of a NIR graph's node.
        framework: import name of the framework whose adapter reads it; "torch" if no adapter does.
        layer_type: the module's class name.
        kind: what its values mean.
        read_as: how its calls are read, in words; empty if it has no module.
    """

    name: str
    aliases: tuple[str, ...]
    framework: str
    layer_type: str
    kind: SignalKind
    read_as: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f'layer "{self.name}" ({self.framework} {self.layer_type})'
