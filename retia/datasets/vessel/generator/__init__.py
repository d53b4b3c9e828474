"""A grown vessel network: points, trees, anastomoses, radii, shape, tables; one file a stage."""
