"""Recording inside the programs that `torch.compile` makes."""
