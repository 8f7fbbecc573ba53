"""The runner that every consumer uses: batches, guards, retry, dead letters, publishing.

Read in this order: `handler` (what a service supplies), `fold` (pure: facts into changes),
`writer` (guarded writes and announcements), `runner` (the consumer), `publisher`.
"""
