"""Finds the people in photographs: `python infer.py photos/ --out results/`, the same as `bottomup infer`."""

import sys

from bottomup.cli import main

if __name__ == "__main__":
    sys.exit(main(["infer", *sys.argv[1:]]))
