"""Collects objects of a Salesforce org through its REST and Bulk 2.0 query APIs."""
