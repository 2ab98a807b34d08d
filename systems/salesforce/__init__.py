"""What the slices that collect from Salesforce, or publish to it, share."""
