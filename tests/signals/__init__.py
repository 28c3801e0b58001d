"""Seeded signals and what a bad line does to them: the material of the signal benchmarks.

Made apart from the transmitters in edge/dsp, so that a mistake shared by transmitter and receiver shows.
"""
