"""Prints numbered lines: tick.py LINES PAUSE_MS"""

import sys
import time

for n in range(1, int(sys.argv[1]) + 1):
    print(f"line {n}", flush=True)
    time.sleep(int(sys.argv[2]) / 1000)
