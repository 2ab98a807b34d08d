"""Files of rows as DuckDB writes them: sessions, types, masks, rejected rows."""
