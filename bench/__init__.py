"""`make bench`: figures, each beside a floor or a peer measured in the same run.

Machines are noisy, so a figure is the median of several runs that alternate with its floor's, and
what counts is the ratio. CPU seconds per 100,000 events stand beside each rate: they vary less.
"""
