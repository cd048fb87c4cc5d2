//! Curves, overlays, tables and the self-contained HTML report.
