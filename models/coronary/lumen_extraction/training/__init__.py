"""Training of the mapping between contrast and non-contrast slices (torch)."""
