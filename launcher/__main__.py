"""Entry point of `python3 -m launcher`. Checks the Python version before importing code that needs a newer one."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this module runs on whatever python3 the machine has
    sys.exit("Python 3.11 or newer is required; this is {}.{}.".format(*sys.version_info))

from launcher.commands import main

sys.exit(main())
