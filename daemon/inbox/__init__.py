"""From a dropped file to a queued run."""
