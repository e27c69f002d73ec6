"""Run the command line: `python -m workflow_testing`."""

import sys

from workflow_testing.cli import main

if __name__ == "__main__":
    sys.exit(main())
