"""NeuroBench: average activity per neuron, and synaptic operations, as workload metrics.

::

    from neuroact_adapters.neurobench import AverageActivityMetric, SynapticOperationsMetric

    metrics = [AverageActivityMetric, SynapticOperationsMetric]
    results = Benchmark(model, loader, [], [], [[], metrics]).run()
    AverageActivityMetric.plot_activity_distributions(results)

    NeuroBench's hooks: every call's output     .hooks
       │  LayerCall, as the layer returned it
    the adapter of the layer's framework        .layers
       │  SpikeChunk
    counts per neuron, per layer                neuroact.recording
       │
    NeuroBench's results, plain Python          .results
       │
    ActivityReport, picture                     neuroact_adapters.result_files, .plot

    synaptic operations, without those hooks    .operations
       │  a recording of each run               .operations_run
    NeuroBench's results, plain Python          .results
"""

from neuroact_adapters.neurobench.metric import AverageActivityMetric, add_spiking_layers
from neuroact_adapters.neurobench.operations import SynapticOperationsMetric
from neuroact_adapters.result_files.neurobench import report

__all__ = [
    "AverageActivityMetric",
    "SynapticOperationsMetric",
    "add_spiking_layers",
    "report",
]
