-- A first data program. Statements end with `;`. `atoll check` says what is wrong, `atoll apply` makes it run.

CREATE WAREHOUSE lake USING iceberg;

-- The secret is one in AWS Secrets Manager, `atoll/ops`: {"host", "port", "dbname", "username", "password", "sslmode"}.
CREATE CONNECTION ops TO postgres WITH (secret = 'ops');

-- Collect: a table, and from then on what changes in it.
INSERT INTO lake.ops.orders
  EVERY '15 minutes' MERGE ON (id) CURSOR updated_at
AS
SELECT id, customer, amount, updated_at FROM ops.public.orders;

-- Organize: a view over it.
CREATE MATERIALIZED VIEW lake.ops.customers
  EVERY '15 minutes' REPLACE
  EXPECT has_customer: (customer IS NOT NULL) OR WARN
AS
SELECT customer, count(*) AS orders, sum(amount) AS amount
FROM lake.ops.orders
GROUP BY customer;

-- Harness: and back, for an application to read.
INSERT INTO ops.public.customer_totals
  EVERY '15 minutes' MERGE ON (customer)
AS
SELECT customer, orders, amount FROM lake.ops.customers;
