"""Reports, comparisons of them, and their history: the classes that users call methods of."""
