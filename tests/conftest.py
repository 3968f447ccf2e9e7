"""Hypothesis profiles; NEUROACT_HYPOTHESIS picks one."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Times do not repeat on shared machines, so no example fails for being slow.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2000, **_COMMON)
settings.load_profile(
    os.environ.get("NEUROACT_HYPOTHESIS", "ci" if os.environ.get("CI") else "dev")
)
