create warehouse Lake using Iceberg with (bucket = 'b''s', days = 30, rate = -1.5, deep = true, off = FALSE,
  "Quoted" = 'x');
CREATE CONNECTION crm TO salesforce;
CREATE CONNECTION "OPS" TO postgres WITH (secret = 'ops', host = 'db.internal', port = 5432);
;;
