"""The one thing slices share: keys, records, store, events, errors and the slice contract."""
