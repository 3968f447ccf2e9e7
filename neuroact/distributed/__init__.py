"""Makes one report of a data set that several processes recorded in parts."""

from neuroact.distributed.gathering import merge, valid_samples

__all__ = ["merge", "valid_samples"]
