"""The smallest module that Placet publishes: one operation, one Software Unit."""
