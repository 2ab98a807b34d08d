"""What the slices of MySQL and MariaDB share: the secret, sessions, the catalog, types, and what errors mean."""
