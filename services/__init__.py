"""The four services; each knows `shared` and none of the others."""
