"""A report, or a comparison of reports, as one web page that needs nothing but itself.

::

    Layers, ComparedLayers
       │  a row a layer                     .rows, .results
       │  small drawings in the rows        .drawings
       │  plots, where matplotlib is        .pictures
    templates/*.j2, page.css, page.js       .page
       │  everything escaped, then hashed
    one file, no network

The script's hash is in the page's content security policy: no other script runs in it, whatever a
model or a file may have slipped into a name.
"""

from neuroact.html.comparison_page import comparison_page
from neuroact.html.report_page import report_page

__all__ = ["comparison_page", "report_page"]
