#!/usr/bin/env python3
"""Start the analysis: python src/main.py voice-of-customer --help"""

import sys

from voc.cli import main

if __name__ == "__main__":
    sys.exit(main())
