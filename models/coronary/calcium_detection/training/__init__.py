"""Trains the networks of paper 3 on virtual patients; needs torch."""
