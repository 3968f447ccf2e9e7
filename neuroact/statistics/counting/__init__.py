"""How statistics count: parts of chunks, blocks of steps, open sequences, running sums."""
