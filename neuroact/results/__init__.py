"""What was measured: figures of layers, frozen, of NumPy alone."""
