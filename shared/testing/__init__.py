"""Fakes that implement the ports, factories and crash points: public, for tests of any service.

The fakes run the same contract suites as the real adapters.
"""
