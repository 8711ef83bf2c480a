"""Sphinx builds the manual from Markdown; nothing is fetched and no script is added."""

project = "Placet"
author = "The Placet maintainers"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
html_theme = "alabaster"
html_title = "Placet"
html_show_sourcelink = False
html_show_sphinx = False
myst_heading_anchors = 3
exclude_patterns = ["performance/figures.md"]  # performance.md includes it
