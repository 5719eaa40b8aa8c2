"""Trains a system: `python train.py configs/default.yaml key=value ...`."""

import sys

from bottomup.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
