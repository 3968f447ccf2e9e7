"""What is on the cards of objects up to the results; importing it declares them all."""

from neuroact.table.cards import inputs, layers, operations, statistics

__all__ = ["inputs", "layers", "operations", "statistics"]
