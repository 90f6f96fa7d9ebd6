"""``python -m hotnas_hls`` is ``hotnas``."""

import sys

from hotnas_hls.cli import main

if __name__ == "__main__":
    sys.exit(main())
