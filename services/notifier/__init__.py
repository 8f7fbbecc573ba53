"""The notifier: whom to send what, when, and whether it may be sent at all.

Consumes `fan-events.v1` (windows, following, preferences), `tag-changes.v1` (tags, and the
campaigns that a tag triggers) and `incidents.v1` (promotions pause). Decides for each push whether
it may go, debits the fan's ledger before the call, and calls WeChat and Weibo. Publishes
`push-outcomes.v1`.
"""
