"""The only package that slices share: keys, records, store, events, errors and the slice contract."""
