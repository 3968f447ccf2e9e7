"""Keeps the streams of a GPU from working on one layer's counts in the wrong order.

A GPU does the work of one stream in order, but the work of two streams in any order. Counting is
work of the stream that is current during the call. The current stream may be another in each call,
and yet another where figures are read.
"""

from __future__ import annotations

import torch


class StreamOrder:
    """Keeps the work on a layer's tensors in the order in which it was given."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[torch.device, torch.cuda.Stream] = {}

    def follow(self, device: torch.device) -> None:
        """Have the current stream wait for the one that worked last; the host does not wait."""
        if device.type != "cuda":
            return
        current, last = torch.cuda.current_stream(device), self._last.get(device)
        if current != last:
            if last is not None:
                current.wait_stream(last)
            self._last[device] = current

    def follow_all(self) -> None:
        """`follow` on each device that worked."""
        for device in self._last:
            self.follow(device)

    def wait(self) -> None:
        """Wait on the host for all the work of the devices.

        That includes compiled programs and CUDA graphs, which run without Python on any stream.
        """
        for device in tuple(self._last):
            torch.cuda.synchronize(device)
