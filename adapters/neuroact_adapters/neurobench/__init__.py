"""NeuroBench: average activity per neuron as a workload metric.

::

    from neuroact_adapters.neurobench import AverageActivityMetric

    results = Benchmark(model, loader, [], [], [[], [AverageActivityMetric]]).run()
    AverageActivityMetric.plot_activity_distributions(results)

    NeuroBench's hooks: every call's output     .hooks
       │  LayerCall, as the layer returned it
    the adapter of the layer's framework        .layers
       │  SpikeChunk
    counts per neuron, per layer                neuroact.recording
       │
    NeuroBench's results, plain Python          .results
       │
    ActivityReport, picture                     .from_results, .plot
"""

from neuroact_adapters.neurobench.from_results import report
from neuroact_adapters.neurobench.metric import AverageActivityMetric, add_spiking_layers

__all__ = ["AverageActivityMetric", "add_spiking_layers", "report"]
