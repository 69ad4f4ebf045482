"""``python -m cli``: the command line without the installed script, for torchrun."""

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
