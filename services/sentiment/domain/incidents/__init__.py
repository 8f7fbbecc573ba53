"""From scored comments to an incident: subjects, windows, the usual, the judgement. Pure."""
