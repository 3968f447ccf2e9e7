"""One report over a data set of which several processes each measured a part."""

from neuroact.distributed.gathering import merge, valid_samples

__all__ = ["merge", "valid_samples"]
