"""`python -m metricloop.cli`: the command line without the installed script."""

import sys

from metricloop.cli.main import main

sys.exit(main())
