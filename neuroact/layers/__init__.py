"""Which modules of a model are layers, and how their calls are read."""
