"""What the slices of one system share: a package a system, which no other part of Atoll imports."""
