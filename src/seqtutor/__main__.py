"""`python -m seqtutor`."""

import sys

from seqtutor.cli.main import main

sys.exit(main())
