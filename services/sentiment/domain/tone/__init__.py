"""How negative a text is: normaliser, features, the learned scores and their threshold. Pure."""
