"""The report as pages of plain GitHub Markdown: tables in, text out. `pages.build` writes them; Sphinx makes a book of
them (folder `book/` of the checkout).

Imports no Keras. Every number, date and verdict comes from records and the protocol; prose holds no typed number.
"""
