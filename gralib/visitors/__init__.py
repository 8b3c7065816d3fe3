"""Visitors' pictures: faces found and cut as the training set's, read by shipped networks; a page to play with."""
