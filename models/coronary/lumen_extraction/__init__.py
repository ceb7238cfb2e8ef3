"""Lumen extraction by DL-LEM (Yamazaki 2023, "paper 0"): contrast agent turned off slice by slice, and the difference.

No analysis uses this package yet.
"""
