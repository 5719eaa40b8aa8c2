"""Data set readers, augmentation and loading for training."""
