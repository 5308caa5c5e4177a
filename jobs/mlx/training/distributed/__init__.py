"""Several processes for one training: starting them, being one of them, what they agree on."""
