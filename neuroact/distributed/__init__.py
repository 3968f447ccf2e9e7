"""One report of a data set that several processes measured, each its part."""

from neuroact.distributed.gathering import merge, valid_samples

__all__ = ["merge", "valid_samples"]
