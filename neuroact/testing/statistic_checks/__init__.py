"""The checks of a statistic, in the order in which they run."""

from collections.abc import Mapping

from neuroact.testing.outcomes import Check
from neuroact.testing.statistic_checks import (
    basics,
    cutting,
    exactness,
    forms,
    refusals,
    resources,
    sequences,
    tensors,
)
from neuroact.testing.statistic_checks.case import StatisticCase

STATISTIC_CHECKS: Mapping[str, Check[StatisticCase]] = {
    check.name: check
    for module in (basics, cutting, sequences, forms, exactness, resources, tensors, refusals)
    for check in module.CHECKS
}
"""Every check of a statistic by its name, in the order in which they run."""
