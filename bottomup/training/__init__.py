"""Training: settings, loop, snapshots."""
