"""Orders, an internal application: customers order products, stock is kept, a report adds it up."""
