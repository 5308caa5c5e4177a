"""Examples become train, valid and test: groups, weights, augmentation, replay, leakage check."""
