CREATE WAREHOUSE Lake USING Iceberg WITH (bucket = 'b''s', days = 30, rate = -1.5, deep = TRUE, off = FALSE, "Quoted" = 'x');
CREATE CONNECTION crm TO salesforce;
CREATE CONNECTION "OPS" TO postgres WITH (secret = 'ops', host = 'db.internal', port = 5432);
