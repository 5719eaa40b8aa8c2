"""Predicted people against the truth: numbers and how sure they are."""
