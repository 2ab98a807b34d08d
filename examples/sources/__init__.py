"""The airline once more, with five kinds of source: what it owns, sells, burns, is paid, and whom it takes aboard."""
