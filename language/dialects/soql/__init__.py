"""SOQL: columns of one object and a WHERE, read by sqlglot's own SQL, with SOQL's literals."""
