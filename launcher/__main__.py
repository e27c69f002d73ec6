"""Entry of `python3 -m launcher`: refuses an old Python in a sentence before anything newer is imported."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this module runs on whatever python3 the machine has
    sys.exit("Python 3.11 or newer is needed; this one is {}.{}.".format(*sys.version_info))

from launcher.commands import main

sys.exit(main())
