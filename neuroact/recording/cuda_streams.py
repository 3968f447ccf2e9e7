"""The order in which the streams of a GPU work on one layer's counts.

A GPU does what one stream is given in order, and what two are given in any. Counting is work of the
stream that is current where it happens, which may be another at each call, and another still where
figures are read.
"""

from __future__ import annotations

import torch


class StreamOrder:
    """Has work on a layer's tensors done in the order in which it was given."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[torch.device, torch.cuda.Stream] = {}

    def follow(self, device: torch.device) -> None:
        """Have the device's current stream wait for the one that worked last; the host does not."""
        if device.type != "cuda":
            return
        current, last = torch.cuda.current_stream(device), self._last.get(device)
        if current != last:
            if last is not None:
                current.wait_stream(last)
            self._last[device] = current

    def follow_all(self) -> None:
        """The same on each device that worked."""
        for device in self._last:
            self.follow(device)

    def wait(self) -> None:
        """Wait for all that the devices were given, also by compiled programs and CUDA graphs.

        These run without Python, on whatever stream.
        """
        for device in tuple(self._last):
            torch.cuda.synchronize(device)
