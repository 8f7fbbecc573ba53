"""The floors: the least program that does a part of the job, for the ratio."""
