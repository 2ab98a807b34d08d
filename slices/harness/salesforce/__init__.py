"""Publishes to objects of Salesforce."""
