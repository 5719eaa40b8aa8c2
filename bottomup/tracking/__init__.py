"""Ids through frames: `Tracker` as the frames come, `linked` when all are there."""
