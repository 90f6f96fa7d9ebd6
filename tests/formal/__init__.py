"""Tests of formal/prove.py."""
