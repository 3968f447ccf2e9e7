"""What a NIR graph calls the layers of a model that nirtorch made of it.

Modules are recognised by names. So nirtorch is never imported.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import fx, nn

from neuroact.layers.names import ROOT_NAME, NamedModule


def node_names(modules: Sequence[NamedModule], layers: Sequence[str]) -> dict[str, str]:
    """The name of the graph's node that a layer is in, by the layer's name.

    An importer may put its neuron into a module of its own, or a part of the graph into a graph
    within the model: node `lif1` is then the layer `lif1.lif`, and `lif_lif` is `lif.lif_lif`. So
    the same graph, read by two frameworks, has layers of different names, but the same nodes.
    """
    graphs = [m.name for m in modules if _made_by_nirtorch(m.module)]
    return {layer: node for layer in layers if (node := _node(layer, graphs)) is not None}


def _node(layer: str, graphs: Sequence[str]) -> str | None:
    """The node of the innermost graph that holds the layer."""
    prefixes = ["" if name == ROOT_NAME else f"{name}." for name in graphs]
    around = max((p for p in prefixes if layer.startswith(p)), key=len, default=None)
    return None if around is None else layer.removeprefix(around).partition(".")[0]


def _made_by_nirtorch(module: nn.Module) -> bool:
    if isinstance(module, fx.GraphModule):
        return any(
            str(getattr(node.target, "__module__", None)).startswith("nirtorch.")
            for node in module.graph.nodes
            if node.op == "call_function"
        )
    cls = type(module)
    return cls.__name__ == "GraphExecutor" and cls.__module__.startswith("nirtorch.")
