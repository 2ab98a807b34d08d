CREATE WAREHOUSE  lake USING iceberg;
CREATE CONNECTION erp TO oracle WITH (secret = 'erp');

INSERT INTO lake.erp.orders EVERY '1 hour' MERGE ON (id) CURSOR changed
  TOLERATE 1 BAD ROWS
AS SELECT id, customer, total, ordered_on, changed FROM erp.orders WHERE ordered_on >= DATE '2026-01-01';

INSERT INTO lake.erp FROM erp TABLES (customers) EVERY '1 hour';

CREATE MATERIALIZED VIEW lake.erp.totals EVERY '1 hour' REPLACE
AS SELECT c.name, count(*) AS orders, sum(o.total) AS total FROM lake.erp.orders o JOIN lake.erp.customers c ON c.id = o.customer GROUP BY c.name;
