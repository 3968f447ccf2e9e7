"""A report, a comparison of reports, or their history, as one self-contained web page.

::

    Layers, ComparedLayers
       │  a row for each layer              .rows, .results
       │  small drawings in the rows        .drawings
       │  its own plots, as SVG             .pictures, .values, .of_layer; .charts, .svg
    templates/*.j2, page.css, page.js       .page
       │  everything escaped, script hashed
    one file, no network

The page's content security policy has the hash of its script. So no other script runs in it,
whatever a model or a file may have put into a name.
"""

from neuroact.html.of_comparison import comparison_page
from neuroact.html.of_history import history_page
from neuroact.html.of_report import report_page

__all__ = ["comparison_page", "history_page", "report_page"]
