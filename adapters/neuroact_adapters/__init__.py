"""neuroact's own adapters, one module or folder for each framework.

This package imports none of them. neuroact finds installed adapters by their entry points: see
`neuroact.layers.adapter`.
"""
