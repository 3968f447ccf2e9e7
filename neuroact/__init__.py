"""Measures what a spiking network's neurons do, in the same way in every framework.

::

    layer's forward call                     any framework
       │  args, kwargs, output, module state
    an Adapter's read()                      neuroact.layers, neuroact_adapters
       │  SpikeChunk: values[time, batch, *neurons], kind, starts_sequence, valid, labels
    a stand-in for the layer's forward       neuroact.recording, neuroact.native
       │
    update · merge · reset · state · result  neuroact.statistics
       │  integer counts per neuron
    figures by layer: frozen, NumPy only     neuroact.results
       │
    files · table · plots · page             neuroact.files, .table, .plots, .html
       │
    ActivityReport, Comparison, History      neuroact.report

Code above `SpikeChunk` knows frameworks; code below it knows none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroact.public import *  # noqa: F403 - the list of names is kept there

    __version__: str
else:  # A type checker that saw __getattr__ would take any name for one of ours.

    def __getattr__(name: str) -> Any:
        """Load the public names, and PyTorch with them, when the first one is asked for.

        So the command line, whose modules lie in this package, shows its help without them.
        """
        names = globals()
        if name == "__version__":
            from neuroact.versions import installed_version

            names[name] = installed_version("neuroact") or "0+unknown"
        elif name == "__all__" or not name.startswith("__"):
            # While that file is being loaded it has no __all__, so nothing is found: right, since
            # a `from neuroact import energy` of ours then means the file of that name.
            public = import_module("neuroact.public")
            names.update({each: getattr(public, each) for each in public.__all__})
            names["__all__"] = public.__all__
        if name not in names:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return names[name]

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__"), "__version__"})
