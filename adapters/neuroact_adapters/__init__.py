"""neuroact's own adapters, one module a framework; each imports its framework, so none is here.

Installed adapters are found by entry point, not by this package: see `neuroact.layers.adapter`.
"""
