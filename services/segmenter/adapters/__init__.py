"""The store and the rule file as the segmenter's ports want them."""
