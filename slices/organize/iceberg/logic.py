"""The SQL of a view's rows: the lake's, since its other engines have small ones computed so too."""

from systems.iceberg.relations import result_query as result_query
