"""Tests of sim/formal/prove.py."""
