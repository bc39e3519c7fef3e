"""The explorer: one page on which a reader moves characteristics by hand.

Python packs decoders, judges, images and codes; page/ holds what the page is made of.
"""
