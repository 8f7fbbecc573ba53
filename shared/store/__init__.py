"""The document store behind ports: guarded bulk writes, outbox queries, leases.

Only this package and the services' adapters know the driver.
"""
