"""Bytes to types and back: pictures, weights, results. Hostile input stops here."""
