"""What was measured in each layer: frozen, and made of NumPy alone."""
