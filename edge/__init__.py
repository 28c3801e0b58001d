"""The branch box: lines in, calls on a page and in an outbox out.

numpy's products here are small, and its threads cost more than they bring, so they are off before it loads.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
