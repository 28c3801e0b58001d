"""Reads callers, keys, tones and voices out of audio files, each channel as a line of its own.

`python -m edge decode [--json] [--country cn] [--alaw] FILE...` : one JSON object a line, or a table. Every object has
file, line, event, start_s, end_s; the rest depends on what was found:

    caller_id   standard format number name date_time presentation checksum_ok confidence (reason when refused)
    dtmf        digits: keys with pauses of at most a second between them
    tone        tone country level_dbm0
    voice       level_dbm0
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from edge.callerid import PARSE_DIGITS, CallerId, CallerIdError
from edge.callerid.receiver import CallerFound, CallerIdReceiver
from edge.dsp.dtmf import DtmfReceiver, KeyFound
from edge.dsp.hops import HopBank
from edge.dsp.tones import TONES, ToneFound, ToneReceiver, bank_hz
from edge.samples import SamplesError
from edge.sources.wav import RATE_HZ, channels_of, read_wav
