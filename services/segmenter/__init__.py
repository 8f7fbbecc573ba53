"""The segmenter: which tags does a fan gain and lose?

Consumes `fan-events.v1` (group `segmenter.fan-events.v1`), keeps one document a fan (profile,
counters, tags) and decides by the rules of `tags.yaml`: how often something happened in a window,
words in messages, the scene that led to the account. Publishes `TagAssigned` and `TagRemoved` on
`tag-changes.v1`, because of an event, of time alone, of a changed rule file, or of a fan leaving.
"""
