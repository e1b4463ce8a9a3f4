"""`python -m matdesign`."""

import sys

from matdesign.cli import main

sys.exit(main())
