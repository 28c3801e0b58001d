# Run by MicroPython before main.py. No file system is mounted: nothing on the chip can be left half written.
