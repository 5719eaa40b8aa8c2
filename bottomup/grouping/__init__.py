"""Grouping: people out of heatmaps, part-affinity fields and tags."""

from bottomup.grouping.pipeline import group, group_batch

__all__ = ["group", "group_batch"]
