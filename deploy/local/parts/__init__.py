"""The log and the store as processes of their own, one module a part.

Every part has ``start() -> endpoint``, which returns once the part answers, and ``stop()``. Its
processes can also be killed and frozen, for tests. The services know only the endpoints.
"""
