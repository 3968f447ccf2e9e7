"""Reports, comparisons of them, and their history: figures, and the verbs that show them."""
