/* one /* two */
CREATE WAREHOUSE lake USING iceberg;
