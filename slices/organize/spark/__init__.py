"""Views of a lake of Iceberg tables that Spark computes, in EMR Serverless."""
