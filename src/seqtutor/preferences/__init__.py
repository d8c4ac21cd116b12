"""Models of preference: votes on pairs of sequences become a utility, with its uncertainty."""
