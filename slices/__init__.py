"""Connectors and warehouse drivers, one folder each: `slices/<stage>/<system>/`."""
