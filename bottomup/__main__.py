"""`python -m bottomup`, the same as the console script `bottomup`."""

import sys

from bottomup.cli import main

if __name__ == "__main__":
    sys.exit(main())
