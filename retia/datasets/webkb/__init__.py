"""Import graphs in the layout of Geom-GCN: WebKB and its like."""
